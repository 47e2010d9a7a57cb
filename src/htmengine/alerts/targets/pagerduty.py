"""PagerDuty, by its Events API version 2: an incident triggers an alert under one key, and resolves it under the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from htmengine import iso_times
from htmengine.alerts.notice import RESOLVED, TEST, Notice, metric_line, sentence_of
from htmengine.alerts.targets.api import Delivered, Outcome, Retry
from htmengine.alerts.targets.http import Receiver
from htmengine.alerts.targets.secrets import Secret, SecretUnavailable
from htmengine.alerts.targets.settings import Settings
from htmengine.alerts.targets.texts import is_address, one_line, shortened

KIND: Final = "pagerduty"
URL: Final = "https://events.pagerduty.com/v2/enqueue"
MAX_SUMMARY: Final = 1024
MAX_TEXT: Final = 2000

_KEY: Final = re.compile(r"[A-Za-z0-9]{32}")


class PagerDuty:
    """Sends an event for each notice.

    Parameters
    ----------
    routing_key : of the service's integration.
    """

    kind = KIND
    repeat_s = None
    repeat_resolved_s = 0.0

    def __init__(self, name: str, receiver: Receiver, routing_key: Secret) -> None:
        self.name = name
        self._receiver = receiver
        self._routing_key = routing_key

    def send(self, notice: Notice) -> Outcome:
        """Send its event."""
        try:
            key = self._routing_key.reveal()
        except SecretUnavailable as error:
            return Retry(str(error))
        outcome = self._post(event(notice), key)
        if notice.kind == TEST and isinstance(outcome, Delivered):
            return self._post(_resolved(notice), key)  # or it would stay open
        return outcome

    def _post(self, document: Mapping[str, Any], key: str) -> Outcome:
        return self._receiver.post(msgspec.json.encode({"routing_key": key, **document}), hidden=[key])

    def describe(self) -> Mapping[str, str]:
        """Return its settings, without secrets."""
        return {"url": self._receiver.shown, "routing_key": self._routing_key.source}

    def close(self) -> None:
        """Nothing is held."""

    def __repr__(self) -> str:
        return f"PagerDuty({self.name}, {self._receiver.shown})"


def event(notice: Notice) -> dict[str, Any]:
    """Return the event of a notice, without the key that says whose it is."""
    if notice.kind == RESOLVED:
        return _resolved(notice)
    found: dict[str, Any] = {
        "dedup_key": _key_of(notice),
        "event_action": "trigger",
        "client": "htmengine",
        "payload": {
            "summary": one_line(f"{notice.title}: {sentence_of(notice)}", MAX_SUMMARY),
            "source": f"htmengine {notice.installation}",
            "severity": notice.severity,
            "timestamp": iso_times.text(notice.time, "seconds"),
            "component": one_line(notice.first_mover or notice.incident, MAX_TEXT),
            "group": one_line(notice.first.group or notice.incident, MAX_TEXT),
            "class": "anomaly" if notice.subject == "metrics" else "engine",
            "custom_details": {
                "incident": notice.incident,
                "why": shortened(sentence_of(notice), MAX_TEXT),
                "hint": shortened(notice.hint, MAX_TEXT),
                "rule": notice.rule,
                "started": iso_times.text(notice.started, "seconds"),
                "metric_count": notice.metric_count,
                "alarm_count": notice.alarm_count,
                "metrics": [one_line(metric_line(metric), MAX_TEXT) for metric in notice.metrics],
            },
        },
    }
    if is_address(notice.url):
        found["client_url"] = notice.url
    links = [
        {"href": link.url, "text": one_line(link.text, 100)}
        for link in notice.actions
        if is_address(link.url)
    ]
    if links:
        found["links"] = links
    return found


def _resolved(notice: Notice) -> dict[str, Any]:
    return {"dedup_key": _key_of(notice), "event_action": "resolve"}


def _key_of(notice: Notice) -> str:
    return f"htmengine:{notice.installation}:{notice.incident}"


def read(settings: Settings) -> PagerDuty | None:
    """Return the target of a table; None where something in it is wrong."""
    receiver = settings.receiver(default=URL, authorization=False)
    routing_key = settings.secret("routing_key", _check_key, required=True)
    if receiver is None or routing_key is None:
        return None
    return PagerDuty(settings.name, receiver, routing_key)


def _check_key(value: str) -> None:
    if not _KEY.fullmatch(value):
        raise ValueError("is no routing key: the integration key of 32 characters that PagerDuty shows")
