import pytest

from htmengine.alerts.notice import Link, trial_notice
from htmengine.alerts.targets.api import Delivered, Refused, Retry
from tests.unit.alerts.notices import notice
from tests.unit.alerts.targets.receiving import made, nasty_notice, target_of

KEY = "0123456789abcdef0123456789ABCDEF"


@pytest.fixture
def target(receiver):
    receiver.always = (202, {}, b'{"status":"success"}')
    return target_of(
        f'kind = "pagerduty"\nurl = "{receiver.url}/v2/enqueue"\nrouting_key_env = "KEY"',
        environment={"KEY": KEY},
    )


def test_an_incident_triggers_and_resolves_under_one_key(receiver, target):
    for sent in (notice(), notice("grew", number=2, severity="critical"), notice("resolved", number=3)):
        assert target.send(sent) == Delivered()
    opened, grew, resolved = (request.json for request in receiver.requests)
    assert receiver.requests[0].path == "/v2/enqueue"
    assert {said["dedup_key"] for said in (opened, grew, resolved)} == {"htmengine:here:i7"}
    assert {said["routing_key"] for said in (opened, grew, resolved)} == {KEY}
    assert [said["event_action"] for said in (opened, grew, resolved)] == ["trigger", "trigger", "resolve"]
    payload = opened["payload"]
    assert payload["summary"].startswith("Warning: db.latency;dc=a and 1 other metric: began with")
    assert (payload["severity"], payload["component"], payload["group"], payload["class"]) == (
        "warning",
        "db.latency;dc=a",
        "db",
        "anomaly",
    )
    assert payload["timestamp"] == "2023-11-14T22:15:30Z"
    assert len(payload["custom_details"]["metrics"]) == 2
    assert opened["client_url"] == "https://engine.example/i/i7"
    assert opened["links"] == [{"href": "https://engine.example/i/i7?do=ack", "text": "Acknowledge"}]
    assert grew["payload"]["severity"] == "critical"


def test_an_incident_that_became_part_of_another_is_resolved(receiver, target):
    target.send(notice("resolved", merged_into="i3"))
    assert receiver.requests[0].json["event_action"] == "resolve"


def test_a_trial_triggers_an_alert_of_its_own_and_resolves_it(receiver, target):
    assert target.send(trial_notice("test-1", "here", 1.0)) == Delivered()
    said, resolved = (request.json for request in receiver.requests)
    assert resolved == {"routing_key": KEY, "dedup_key": "htmengine:here:test", "event_action": "resolve"}
    assert (said["event_action"], said["dedup_key"]) == ("trigger", "htmengine:here:test")
    assert said["payload"]["severity"] == "info"
    assert said["payload"]["group"]


def test_addresses_that_are_none_are_left_out(receiver, target):
    target.send(notice(url="", actions=(Link("x", "javascript:alert(1)"),)))
    assert not {"client_url", "links"} & set(receiver.requests[0].json)


def test_names_stay_within_what_it_takes(receiver, target):
    target.send(nasty_notice(first_mover="x\n" * 50_000))
    (request,) = receiver.requests
    payload = request.json["payload"]
    assert len(request.body) < 512_000
    assert len(payload["summary"]) <= 1024
    for text in (payload["summary"], payload["component"], payload["group"], payload["source"]):
        assert "\n" not in text
        assert "\x1b" not in text


def test_its_answers(receiver, target):
    receiver.answer(400, f'{{"message":"bad key {KEY}"}}'.encode())
    receiver.answer(429)
    refused = target.send(notice())
    assert refused == Refused('HTTP 400 Bad Request: {"message":"bad key ***"}')
    assert isinstance(target.send(notice()), Retry)


def test_the_key_is_shown_nowhere(receiver, target):
    shown = f"{target!r} {target.describe()} {vars(target)}"
    assert KEY not in shown
    assert target.describe()["routing_key"] == "the environment variable KEY"


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ("", 'has no routing_key; add routing_key_file = "PATH" or routing_key_env = "NAME" of what holds it'),
        (f'routing_key = "{KEY}"', "routing_key is a secret, which this file is no place for; put it into a file, and name that: "
         'routing_key_file = "PATH"; or into the environment: routing_key_env = "NAME"'),
        ('routing_key_env = "SHORT"', "routing_key_env cannot be used: the environment variable SHORT is no routing key: "
         "the integration key of 32 characters that PagerDuty shows"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_without_the_key(settings, fault):
    target, faults = made(f'kind = "pagerduty"\n{settings}', environment={"SHORT": "geheim"})
    assert target is None
    assert faults == [fault]


def test_events_go_to_pagerduty_unless_another_address_is_set():
    target = target_of('kind = "pagerduty"\nrouting_key_env = "KEY"', environment={"KEY": KEY})
    assert target._receiver._url.reveal() == "https://events.pagerduty.com/v2/enqueue"
