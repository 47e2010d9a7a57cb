"""Pushed alerts through Debian's Alertmanager to whoever it tells."""

import json
import time
import urllib.request

import pytest

from htmengine.alerts.targets import secrets
from htmengine.alerts.targets.alertmanager import REPEAT_RESOLVED_S, REPEAT_S, Alertmanager, alert_of
from htmengine.alerts.targets.api import Delivered, Refused
from htmengine.alerts.targets.http import Receiver
from tests import servers
from tests.unit.alerts.notices import notice
from tests.unit.alerts.targets.conftest import receiver  # noqa: F401  # a fixture
from tests.unit.alerts.targets.receiving import HttpReceiver, nasty_notice, target_of
from tests.unit.alerts.world import stored
from tests.unit.incidents.conftest import database, fresh, template  # noqa: F401  # fixtures: SQLite

pytestmark = pytest.mark.integration
WITHIN_S = 60.0

CONFIG = """
global:
  resolve_timeout: 5m
route:
  receiver: behind
  group_by: [incident]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 24h
receivers:
  - name: behind
    webhook_configs:
      - url: {url}
        send_resolved: true
"""


class Running:
    """An Alertmanager, and the receiver behind it."""

    def __init__(self, url, behind):
        self.url = url
        self.behind = behind

    def alerts_of(self, incident, status):
        """Return the messages that the receiver got of an incident."""
        return [
            request.json
            for request in self.behind.requests
            if request.json["status"] == status and request.json["groupLabels"].get("incident") == incident
        ]

    def wait_told(self, incident, status):
        wait_for(lambda: self.alerts_of(incident, status))

    def alerts(self, incident):
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=30) as answer:
            found = json.load(answer)
        return [alert for alert in found if alert["labels"]["incident"] == incident]


def wait_for(condition):
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory):
    program = servers.require("prometheus-alertmanager", "prometheus-alertmanager")
    folder = tmp_path_factory.mktemp("alertmanager")
    behind = HttpReceiver()
    (folder / "config.yml").write_text(CONFIG.format(url=behind.url))
    (port,) = servers.free_ports(1)
    url = f"http://127.0.0.1:{port}"
    process = servers.ServerProcess(
        [
            program,
            f"--config.file={folder / 'config.yml'}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        lambda: answers(f"{url}/-/ready"),
        folder / "log",
    )
    yield Running(url, behind)
    process.end()
    behind.close()


def answers(url):
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except OSError:
        return False
    return True


def pushing(alertmanager, clock=time.time, name="am"):
    return Alertmanager(name, [Receiver(secrets.constant(alertmanager.url, "url"))], clock=clock)


def test_an_incident_is_told_once_while_it_lasts_and_once_when_it_is_over(alertmanager):
    target = pushing(alertmanager)
    now = time.time()
    opened = notice(incident="i100", started=now - 30)
    assert target.send(opened) == Delivered()
    alertmanager.wait_told("i100", "firing")
    (alert,) = alertmanager.alerts("i100")
    assert alert["fingerprint"] == alert_of(opened).fingerprint
    first_end = alert["endsAt"]

    later = pushing(alertmanager, lambda: time.time() + REPEAT_S)
    grew = notice(
        "grew", number=2, incident="i100", started=now - 30, severity="critical", first_mover="other"
    )
    assert later.send(grew) == Delivered()
    (alert,) = alertmanager.alerts("i100")
    assert alert["endsAt"] > first_end
    assert alert["annotations"]["current_severity"] == "critical"

    resolved = notice("resolved", number=3, incident="i100", started=now - 30, ended=now - 1)
    for _ in range(3):
        assert target.send(resolved) == Delivered()
    alertmanager.wait_told("i100", "resolved")
    # What comes after it shows that no more comes before.
    target.send(notice(incident="i101", started=now))
    alertmanager.wait_told("i101", "firing")
    (firing,) = alertmanager.alerts_of("i100", "firing")
    (over,) = alertmanager.alerts_of("i100", "resolved")
    assert firing["groupKey"] == over["groupKey"]
    assert over["alerts"][0]["annotations"]["why"].startswith("began with")


def test_what_is_pushed_no_more_is_over_by_itself(alertmanager):
    """So that an engine that has died leaves no alert behind for ever."""
    target = pushing(alertmanager, lambda: time.time() - 238)
    assert target.send(notice(incident="i200", started=time.time() - 300)) == Delivered()
    alertmanager.wait_told("i200", "firing")
    alertmanager.wait_told("i200", "resolved")


def test_names_of_any_kind_are_taken(alertmanager):
    sent = nasty_notice(incident="i300", started=time.time())
    assert pushing(alertmanager).send(sent) == Delivered()
    alertmanager.wait_told("i300", "firing")
    (alert,) = alertmanager.alerts("i300")
    assert alert["labels"]["metric"] == alert_of(sent).labels["metric"]
    assert alert["fingerprint"] == alert_of(sent).fingerprint


def test_the_body_of_our_webhooks_has_the_fields_of_its_own(alertmanager, receiver):  # noqa: F811
    sent = notice(incident="i400", started=time.time())
    pushing(alertmanager).send(sent)
    alertmanager.wait_told("i400", "firing")
    (theirs,) = alertmanager.alerts_of("i400", "firing")
    target_of(f'kind = "webhook"\nformat = "alertmanager"\nurl = "{receiver.url}"').send(sent)
    ours = receiver.requests[0].json
    assert set(theirs) <= set(ours)
    assert set(theirs["alerts"][0]) == set(ours["alerts"][0])
    for key in ("labels", "annotations", "endsAt", "generatorURL", "fingerprint", "status"):
        assert ours["alerts"][0][key] == theirs["alerts"][0][key]


def test_what_it_refuses_is_not_sent_again(alertmanager):
    target = pushing(alertmanager)
    target._labels = {"a-b": "no name of a label"}
    said = target.send(notice(incident="i500"))
    assert isinstance(said, Refused)
    assert "HTTP 400" in said.reason


def test_an_incident_goes_from_its_alarms_to_whoever_is_behind_once(world, alertmanager):
    target = pushing(alertmanager)
    world.use(target)
    world.write()
    world.incident(service="db")
    send(world, 10)
    (row,) = world.rows()
    incident = alert_of(stored(row)).labels["incident"]
    alertmanager.wait_told(incident, "firing")
    for minutes in range(1, 4):
        send(world, 10 + minutes * REPEAT_S)
    assert world.sender.counters["repeated"] >= 3
    world.act("resolve")
    send(world, 300)
    alertmanager.wait_told(incident, "resolved")
    for minutes in range(1, int(REPEAT_RESOLVED_S / REPEAT_S) + 3):
        send(world, 300 + minutes * REPEAT_S)
    repeated = world.sender.counters["repeated"]
    send(world, 2000)
    assert world.sender.counters["repeated"] == repeated
    target.send(notice(incident="i601", started=time.time()))
    alertmanager.wait_told("i601", "firing")
    assert len(alertmanager.alerts_of(incident, "firing")) == 1
    assert len(alertmanager.alerts_of(incident, "resolved")) == 1


def send(world, after_s):
    world.at(after_s)
    world.write()
    for _ in range(3):
        world.sender.work()
        assert world.sender.wait(60)
