import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.alerts.notice import First, trial_notice
from htmengine.alerts.targets import secrets
from htmengine.alerts.targets.alertmanager import Alert, Alertmanager, alert_of, pushed, webhook_body
from htmengine.alerts.targets.api import Delivered, Gone, Refused, Retry
from htmengine.alerts.targets.http import Receiver
from tests.unit.alerts.notices import notice
from tests.unit.alerts.targets.receiving import NASTY, HttpReceiver, made, nasty_notice, target_of

NOW = 1_700_000_200.0


@pytest.fixture
def target(receiver):
    return Alertmanager(
        "am", [Receiver(secrets.constant(f"{receiver.url}/prefix/", "url"))], clock=lambda: NOW
    )


def test_an_open_incident_is_an_alert_that_ends_in_four_minutes_unless_it_is_pushed_again(receiver, target):
    assert target.send(notice()) == Delivered()
    (request,) = receiver.requests
    assert request.path == "/prefix/api/v2/alerts"
    (alert,) = request.json
    assert alert["labels"] == {
        "alertname": "htmengine_anomaly",
        "metric": "db.latency;dc=a",
        "incident": "i7",
        "severity": "warning",
        "group": "db",
        "installation": "here",
    }
    assert (alert["startsAt"], alert["endsAt"]) == ("2023-11-14T22:13:20Z", "2023-11-14T22:20:40Z")
    assert alert["generatorURL"] == "https://engine.example/i/i7"
    assert alert["annotations"]["summary"] == "Warning: db.latency;dc=a and 1 other metric"
    assert alert["annotations"]["value"] == "932"
    assert alert["annotations"]["usual"] == "380 to 455"
    assert (target.repeat_s, target.repeat_resolved_s) == (60, 300)


def test_a_resolved_incident_ends_when_it_was_over_however_late_it_is_told(receiver, target):
    target.send(notice("resolved", number=3))
    (alert,) = receiver.requests[0].json
    assert alert["endsAt"] == "2023-11-14T23:13:20Z"


def test_an_incident_that_never_lasted_does_not_end_before_it_began():
    found = pushed(notice("resolved", ended=1.0), {}, NOW)
    assert found["endsAt"] == found["startsAt"]


def test_labels_stay_as_they_were_when_the_incident_grows():
    opened = alert_of(notice())
    grown = notice("grew", number=2, severity="critical", first_mover="web.errors", metric_count=9)
    assert alert_of(grown).labels == opened.labels
    assert alert_of(grown).annotations["current_severity"] == "critical"
    assert alert_of(notice("resolved", number=3)).labels == opened.labels


def test_trouble_of_the_engine_and_trials_are_alerts_of_other_names():
    assert alert_of(notice(subject="engine")).labels["alertname"] == "htmengine_engine"
    trial = alert_of(trial_notice("test-1", "here", NOW))
    assert trial.labels == {
        "alertname": "htmengine_test",
        "incident": "test",
        "severity": "info",
        "installation": "here",
    }


@pytest.mark.parametrize("url", ["", "no address", "javascript:alert(1)", "https://a b/", "https://a/\n"])
def test_what_is_no_address_is_left_out_since_alertmanager_would_refuse_all(url):
    assert "generatorURL" not in pushed(notice(url=url), {}, NOW)


def test_names_arrive_as_they_are(receiver, target):
    target.send(nasty_notice())
    (alert,) = receiver.requests[0].json
    assert alert["labels"]["metric"].startswith(NASTY[:100])
    assert len(alert["labels"]["metric"]) <= 300
    assert all(isinstance(value, str) and value for value in alert["labels"].values())


def test_names_that_are_no_unicode_do_no_harm():
    found = pushed(notice(first=First("i7.1", "info", "a\ud800b"), first_mover="a\ud800"), {}, NOW)
    assert json.loads(json.dumps(found))["labels"]["metric"] == "a?b"


def test_labels_are_added_and_hide_none_of_our_own(receiver):
    target = target_of(
        f'kind = "alertmanager"\nurl = "{receiver.url}"\nlabels = {{ team = "db", env = "prod" }}'
    )
    target.send(notice())
    (alert,) = receiver.requests[0].json
    assert alert["labels"]["team"] == "db"
    assert alert["labels"]["incident"] == "i7"
    assert target.describe() == {"url": receiver.url, "labels": "team=db, env=prod"}


@pytest.mark.parametrize(
    ("labels", "fault"),
    [
        ("7", "is no table"),
        ('{ "a-b" = "c" }', "has the name 'a-b', which has other characters"),
        ('{ "1a" = "c" }', "has the name '1a', which has other characters"),
        ('{ __a = "c" }', "has the name '__a', which has other characters"),
        ('{ incident = "c" }', "has the name incident, which is a label of every alert"),
        ("{ a = 1 }", "has the label a, whose value is no text, or empty"),
        ('{ a = "" }', "has the label a, whose value is no text, or empty"),
    ],
)
def test_labels_that_alertmanager_would_refuse_are_refused(labels, fault):
    target, faults = made(f'kind = "alertmanager"\nurl = "http://a.example"\nlabels = {labels}')
    assert target is None
    assert len(faults) == 1
    assert fault in faults[0]


# -- Clusters


@pytest.fixture
def other():
    found = HttpReceiver()
    yield found
    found.close()


@pytest.fixture
def cluster(receiver, other):
    return target_of(f'kind = "alertmanager"\nurl = ["{receiver.url}", "{other.url}"]')


def test_every_member_of_a_cluster_is_told(receiver, other, cluster):
    assert cluster.send(notice()) == Delivered()
    assert receiver.requests[0].json == other.requests[0].json


def test_members_behind_one_host_are_told_apart(receiver):
    target = target_of(f'kind = "alertmanager"\nurl = ["{receiver.url}/a", "{receiver.url}/b"]')
    receiver.answer(503)
    assert isinstance(target.send(notice()), Delivered)
    assert sorted(request.path for request in receiver.requests) == ["/a/api/v2/alerts", "/b/api/v2/alerts"]


def test_one_member_that_has_it_is_enough(receiver, other, cluster):
    other.answer(503, b"busy")
    assert cluster.send(notice()) == Delivered(
        f"not taken by {other.url}: HTTP 503 Service Unavailable: busy"
    )


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        ((400, 503), Retry),
        ((410, 503), Retry),
        ((400, 410), Refused),
        ((410, 410), Gone),
        ((400, 400), Refused),
    ],
)
def test_where_no_member_takes_it_the_one_that_may_decides(receiver, other, cluster, statuses, kind):
    for member, status in zip((receiver, other), statuses, strict=True):
        member.answer(status)
    said = cluster.send(notice())
    assert isinstance(said, kind)
    assert receiver.url in said.reason
    assert other.url in said.reason


def test_members_that_are_no_addresses_are_refused_without_their_passwords():
    target, faults = made('kind = "alertmanager"\nurl = ["http://a.example", "jo:geheim@b.example"]')
    assert target is None
    assert faults == ["url is no address; write it as https://host/path"]


def test_a_member_that_was_not_reached_keeps_nobody_waiting_for_a_while(receiver, other):
    now = [0.0]
    members = [Receiver(secrets.constant(one.url, "url")) for one in (receiver, other)]
    target = Alertmanager("am", members, timer=lambda: now[0])
    other.answer(503)
    target.send(notice())
    now[0] = 40.0
    assert target.send(notice()) == Delivered()
    assert (len(receiver.requests), len(other.requests)) == (2, 1)
    receiver.answer(500)
    assert target.send(notice()) == Delivered(f"not taken by {receiver.url}: HTTP 500 Internal Server Error")
    assert (len(receiver.requests), len(other.requests)) == (3, 2)
    now[0] = 60.0
    target.send(notice())
    assert (len(receiver.requests), len(other.requests)) == (3, 3)
    now[0] = 100.0
    target.send(notice())
    assert (len(receiver.requests), len(other.requests)) == (4, 4)


def test_one_alertmanager_alone_is_asked_each_time(receiver, target):
    receiver.answer(503)
    target.send(notice())
    assert target.send(notice()) == Delivered()


# -- Its webhooks


def test_the_body_of_its_webhooks(receiver):
    target = target_of(f'kind = "webhook"\nformat = "alertmanager"\nurl = "{receiver.url}"')
    assert target.send(notice()) == Delivered()
    said = receiver.requests[0].json
    assert (said["version"], said["status"], said["receiver"]) == ("4", "firing", "ops")
    assert said["externalURL"] == "https://engine.example"
    assert said["groupKey"] == '{}:{alertname="htmengine_anomaly", incident="i7", installation="here"}'
    (alert,) = said["alerts"]
    assert alert["endsAt"] == "0001-01-01T00:00:00Z"
    assert alert["labels"] == said["commonLabels"]
    target.send(notice("resolved", number=3))
    resolved = receiver.requests[1].json
    assert (resolved["status"], resolved["alerts"][0]["status"]) == ("resolved", "resolved")
    assert resolved["alerts"][0]["endsAt"] == "2023-11-14T23:13:20Z"
    assert resolved["alerts"][0]["fingerprint"] == alert["fingerprint"]
    assert resolved["groupKey"] == said["groupKey"]


def test_a_fingerprint_is_the_one_that_alertmanager_makes():
    # Computed by Alertmanager 0.25 for an alert of these labels.
    labels = {"alertname": "a", "incident": "i7"}
    assert Alert(labels, {}, "", "").fingerprint == "bf2001e08ff57f93"


# Few characters many times: to draw thousands of them takes a hundred times as long as the test.
LONG_TEXTS = st.builds(str.__mul__, st.text(max_size=30), st.sampled_from([1, 10, 100]))


@given(LONG_TEXTS, LONG_TEXTS)
def test_bodies_of_webhooks_stay_short(name, hint):
    body = webhook_body(nasty_notice(first_mover=name, hint=hint, sentence=name), "ops")
    assert len(body) <= 20_000
    json.loads(body)
