"""Who is told of incidents by a real engine, from the sample that is unusual to the message at the receiver."""

import time

import pytest
from standardwebhooks.webhooks import Webhook

from htmengine.client import Client
from tests.acceptance.alert_kills import run
from tests.acceptance.engine import Folder, lines, wait_until
from tests.unit.alerts.targets.receiving import HttpReceiver

pytestmark = pytest.mark.acceptance

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HISTORY = 700


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "data")


@pytest.fixture
def receiver():
    receiver = HttpReceiver()
    yield receiver
    receiver.close()


def test_a_value_that_is_unusual_is_told_signed_and_so_is_that_it_is_over(folder, receiver):
    start = int(time.time()) - 60 * HISTORY
    with folder.up(), Client(f"http://127.0.0.1:{folder.http_port}") as client:
        folder.send(lines("db.latency", HISTORY, start=start))
        folder.wait_for_scores("db.latency", HISTORY)
        (folder.path / "secret").write_text(SECRET)
        (folder.path / "alerts.toml").write_text(  # which a running engine takes
            f'[targets.ops]\nkind = "webhook"\nurl = "{receiver.url}/hook"\nsecret_file = "secret"\n'
            '[[rules]]\nname = "databases"\nmatch = "db.*"\nseverity = "critical"\n'
        )
        folder.send([f"db.latency 900 {start + 60 * HISTORY}"])
        (opened,) = wait_until(lambda: receiver.requests, "a notice")
        assert Webhook(SECRET).verify(opened.body, opened.headers)
        message = opened.json
        assert message["type"] == "incident.opened"
        assert message["data"]["metrics"][0]["name"] == "db.latency"
        assert message["data"]["metrics"][0]["value"] == 900
        incident = message["data"]["incident"]["id"]
        assert message["data"]["incident"]["severity"] == "critical"
        assert client.incident(incident).state == "open"
        wait_until(
            lambda: "db.latency" in folder.cli("alerts", "list", "--json", "--state", "delivered"),
            "a note that it was delivered",
        )
        client.resolve(incident, "a test")
        wait_until(lambda: len(receiver.requests) == 2, "that it is over")
        assert receiver.requests[1].json["type"] == "incident.resolved"
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 2


@pytest.mark.slow
def test_kills_and_a_receiver_that_is_away_lose_no_notice_and_tell_none_as_another(tmp_path):
    result = run(tmp_path, kills=4)
    assert result.faults == []
    assert result.incidents == 5
    assert result.refused > 0
