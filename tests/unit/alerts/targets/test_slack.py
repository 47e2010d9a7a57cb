import re

import pytest

from htmengine.alerts.targets import secrets, slack
from htmengine.alerts.targets.api import Delivered, Gone, Retry
from htmengine.alerts.targets.http import Receiver
from htmengine.alerts.targets.slack import Slack, message
from tests.unit.alerts.notices import notice
from tests.unit.alerts.targets.receiving import made, nasty_notice, target_of


@pytest.fixture
def target(receiver, tmp_path, monkeypatch):
    monkeypatch.setattr(slack, "PAUSE_S", 0.0)
    receiver.always = (200, {}, b"ok")
    (tmp_path / "hook").write_text(f"{receiver.url}/services/T0000000/B0000000/abcdefghijkl\n")
    return target_of('kind = "slack"\nurl_file = "hook"', tmp_path)


def test_a_message_tells_what_has_happened_with_links(receiver, target):
    assert target.send(notice()) == Delivered()
    said = receiver.requests[0].json
    header, section, context = said["blocks"]
    assert header["text"]["text"] == "Warning: db.latency;dc=a and 1 other metric"
    assert "• +2 min web.errors: 71 is higher than ever before (usual 0 to 9)" in section["text"]["text"]
    assert "<https://engine.example/i/i7|Open>" in context["elements"][0]["text"]
    assert "<https://engine.example/i/i7?do=ack|Acknowledge>" in context["elements"][0]["text"]
    assert said["text"].startswith(":large_orange_circle: Warning: db.latency;dc=a")


def test_the_end_is_green(receiver, target):
    target.send(notice("resolved"))
    said = receiver.requests[0].json
    assert said["text"].startswith(":large_green_circle: Resolved")
    assert "i7 · resolved" in said["blocks"][-1]["elements"][0]["text"]


def test_names_are_no_commands_to_slack(receiver, target):
    assert target.send(nasty_notice()) == Delivered()
    said = receiver.requests[0].json
    assert len(said["blocks"][0]["text"]["text"]) <= 150
    for text in (said["text"], said["blocks"][1]["text"]["text"]):
        assert len(text) <= 3000
        assert "<" not in text
        assert "&lt;!channel&gt;" in text
        assert "\x1b" not in text
        assert "\r" not in text
    shown = said["blocks"][2]["elements"][0]["text"]
    assert re.findall(r"<[^>]*>", shown) == [
        "<https://engine.example/i/i7|Open>",
        "<https://engine.example/i/i7?do=ack|Acknowledge>",
    ]


@pytest.mark.parametrize("character", ["&", "x", "\n", "\U0001f525"])
def test_texts_stay_within_what_slack_takes(character):
    said = message(
        nasty_notice(sentence=character * 9000, hint=character * 9000, first_mover=character * 300)
    )
    assert len(said["blocks"][0]["text"]["text"]) <= 150
    assert len(said["blocks"][1]["text"]["text"]) <= 3000
    assert "&am" not in said["text"].replace("&amp;", "")


def test_there_is_one_message_a_second(receiver):
    now, slept = [100.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    target = Slack("s", Receiver(secrets.constant(receiver.url, "url")), timer=lambda: now[0], sleep=sleep)
    for _ in range(3):
        target.send(notice())
    now[0] += 0.25
    target.send(notice())
    now[0] += 30
    target.send(notice())
    assert slept == [1.0, 1.0, 0.75]


def test_its_answers(receiver, target):
    receiver.answer(429, b"rate_limited", Retry_After="17")
    receiver.answer(410, b"channel_is_archived")
    assert target.send(notice()) == Retry("HTTP 429 Too Many Requests: rate_limited", 17.0)
    assert target.send(notice()) == Gone("HTTP 410 Gone: channel_is_archived")


def test_the_address_is_a_secret_and_shown_nowhere(receiver, target):
    receiver.answer(404, receiver.url.encode() + b"/services/T0000000/B0000000/abcdefghijkl")
    shown = f"{target!r} {target.describe()} {target.send(notice())}"
    assert "abcdefghijkl" not in shown
    assert "T0000000" not in shown
    assert target.describe() == {"url": f"{receiver.url}/***"}


def test_the_address_does_not_stand_in_the_file():
    target, faults = made('kind = "slack"\nurl = "https://hooks.slack.com/services/geheim"')
    assert target is None
    assert len(faults) == 1
    assert faults[0].startswith("url is a secret, which this file is no place for")
    assert "geheim" not in faults[0]
