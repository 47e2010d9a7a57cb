import json

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from htmengine.alerts.targets.api import Delivered, Gone, Refused, Retry
from tests.unit.alerts.notices import notice
from tests.unit.alerts.targets.receiving import NASTY, made, nasty_notice, target_of

OLD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW = "whsec_" + "QUJD" * 11
OTHER = "whsec_" + "WFla" * 11


@pytest.fixture
def webhook(receiver):
    return target_of(f'kind = "webhook"\nurl = "{receiver.url}/hooks/ops?a=b"')


@pytest.fixture
def signing(receiver, tmp_path):
    (tmp_path / "secret").write_text(OLD + "\n")
    return target_of(f'kind = "webhook"\nurl = "{receiver.url}/hook"\nsecret_file = "secret"', tmp_path)


def verified(request, secret):
    return Verifier(secret).verify(request.body, request.headers)


def test_the_body_tells_what_has_happened(receiver, webhook):
    assert webhook.send(notice()) == Delivered()
    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", "/hooks/ops?a=b")
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"].startswith("htmengine/")
    assert request.headers["Host"] == f"127.0.0.1:{receiver.port}"
    said = request.json
    assert (said["type"], said["timestamp"]) == ("incident.opened", "2023-11-14T22:15:30Z")
    incident = said["data"]["incident"]
    assert (incident["id"], incident["state"], incident["severity"]) == ("i7", "open", "warning")
    assert (incident["opened"], incident["resolved"]) == (1_700_000_000, None)
    assert [metric["name"] for metric in said["data"]["metrics"]] == ["db.latency;dc=a", "web.errors"]
    assert said["data"]["why"] == notice().sentence
    assert said["data"]["links"][0]["text"] == "Acknowledge"


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        ("opened", "incident.opened"),
        ("grew", "incident.updated"),
        ("resolved", "incident.resolved"),
        ("test", "test.ping"),
    ],
)
def test_each_kind_of_notice_has_its_type(receiver, webhook, kind, type_):
    webhook.send(notice(kind))
    assert receiver.requests[0].json["type"] == type_


def test_an_incident_that_became_part_of_another_says_so(receiver, webhook):
    webhook.send(notice("resolved", merged_into="i3"))
    incident = receiver.requests[0].json["data"]["incident"]
    assert (incident["state"], incident["merged_into"]) == ("merged", "i3")


def test_every_try_has_the_same_id_and_is_signed(receiver, signing):
    receiver.answer(503)
    assert isinstance(signing.send(notice()), Retry)
    assert signing.send(notice()) == Delivered()
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "i7.1"
    assert first.body == second.body
    for request in (first, second):
        assert verified(request, OLD)["data"]["incident"]["id"] == "i7"
    with pytest.raises(WebhookVerificationError):
        verified(first, OTHER)


def test_while_secrets_are_exchanged_a_receiver_may_hold_either(receiver, signing, tmp_path):
    (tmp_path / "secret").write_text(f"{NEW}\n{OLD}\n")
    signing.send(notice())
    assert verified(receiver.requests[0], OLD) == verified(receiver.requests[0], NEW)
    (tmp_path / "secret").write_text(NEW)
    signing.send(notice())
    verified(receiver.requests[1], NEW)
    with pytest.raises(WebhookVerificationError):
        verified(receiver.requests[1], OLD)


def test_without_a_secret_nothing_is_signed(receiver, webhook):
    webhook.send(notice())
    assert "webhook-signature" not in receiver.requests[0].headers
    assert receiver.requests[0].headers["webhook-id"] == "i7.1"


def test_a_secret_that_cannot_be_read_for_now_is_tried_again(receiver, signing, tmp_path):
    (tmp_path / "secret").unlink()
    outcome = signing.send(notice())
    assert isinstance(outcome, Retry)
    assert "cannot be read" in outcome.reason
    (tmp_path / "secret").write_text("no secret")
    outcome = signing.send(notice())
    assert "holds no secret of Standard Webhooks" in outcome.reason
    assert "no secret\n" not in outcome.reason
    assert receiver.requests == []


def test_names_arrive_as_they_are_and_the_body_stays_short(receiver, webhook):
    assert webhook.send(nasty_notice()) == Delivered()
    (request,) = receiver.requests
    assert len(request.body) <= 20_000
    said = request.json["data"]
    assert said["incident"]["first_mover"] == NASTY
    assert {metric["name"] for metric in said["metrics"]} == {NASTY}
    assert said["incident"]["metric_count"] == 400


@pytest.mark.parametrize("character", ["x", "\x00", "\U0001f525", '"'])
def test_names_of_any_length_leave_the_body_short(receiver, webhook, character):
    long = character * 70_000
    assert webhook.send(nasty_notice(first_mover=long, sentence=long, hint=long)) == Delivered()
    (request,) = receiver.requests
    assert len(request.body) <= 20_000
    assert request.json["data"]["incident"]["first_mover"].startswith(character * 50)


def test_what_is_wrong_with_a_secret_is_said_without_it(tmp_path):
    (tmp_path / "secret").write_text("hunter2hunter2")
    _, faults = made('kind = "webhook"\nurl = "http://a.example"\nsecret_file = "secret"', tmp_path)
    assert len(faults) == 1
    assert "holds no secret of Standard Webhooks" in faults[0]
    assert "hunter2" not in faults[0]


def test_nothing_that_is_shown_holds_a_secret(receiver):
    url = f"{receiver.url.replace('://', '://jo:passwort1@')}/services/T0000000/abcdefgh"
    webhook = target_of(
        'kind = "webhook"\nurl_env = "HOOK"\nsecret_env = "KEY"', environment={"HOOK": url, "KEY": OLD}
    )
    echo = json.dumps([url, OLD, "/services/T0000000/abcdefgh", "jo:passwort1"]).encode()
    receiver.answer(404, echo)
    outcome = webhook.send(notice())
    assert isinstance(outcome, Refused)
    shown = f"{webhook!r} {webhook.describe()} {outcome} {vars(webhook)}"
    for part in ("T0000000", "abcdefgh", "passwort1", OLD):
        assert part not in shown
    assert webhook.describe() == {"url": f"{receiver.url}/***", "format": "htmengine", "signed": "yes"}
    assert receiver.requests[0].headers["Authorization"].startswith("Basic ")


def test_a_receiver_that_is_gone_says_so(receiver, webhook):
    receiver.answer(410, b"bye")
    assert webhook.send(notice()) == Gone("HTTP 410 Gone: bye")
