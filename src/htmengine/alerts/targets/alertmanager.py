"""Prometheus' Alertmanager: an incident is one alert, which it groups, silences and routes as it does others.

Its labels are those of the first notice, since Alertmanager knows an alert by them: they hold nothing that changes while the
incident lasts. What does, stands in annotations.

Alertmanager forgets what it is not told again: an open incident is pushed every minute, with an end some minutes ahead, and
its resolution for some minutes after it.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from htmengine import iso_times
from htmengine.alerts.notice import RESOLVED, TEST, Notice, body_lines, sentence_of
from htmengine.alerts.targets.api import Delivered, Gone, Outcome, Refused, Retry
from htmengine.alerts.targets.http import Receiver
from htmengine.alerts.targets.settings import Settings
from htmengine.alerts.targets.texts import is_address, one_line, shortened
from htmengine.readable import number

KIND: Final = "alertmanager"
PATH: Final = "/api/v2/alerts"
REPEAT_S: Final = 60.0
REPEAT_RESOLVED_S: Final = 300.0
LASTS_S: Final = 240.0
"""An alert that is not pushed again for so long is over, to Alertmanager."""
AWAY_S: Final = 50.0
"""For so long a member of a cluster is not asked again that was not reached; alerts are pushed again after that."""
MAX_REASON: Final = 500
MAX_LABEL: Final = 300
MAX_ANNOTATION: Final = 4000
MAX_BYTES: Final = 20_000
"""Of the body of a webhook; annotations are cut to what fits."""
MAX_LABELS: Final = 20
NEVER: Final = "0001-01-01T00:00:00Z"
"""The end of an alert that still fires, in Alertmanager's webhooks."""

_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OWN_LABELS: Final = ("alertname", "metric", "incident", "severity", "group", "installation")
_FNV_OFFSET: Final = 14_695_981_039_346_656_037
_FNV_PRIME: Final = 1_099_511_628_211


class Alert(NamedTuple):
    """An incident as Alertmanager sees it."""

    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: str
    url: str
    """Empty for none: Alertmanager refuses what is no address."""

    @property
    def fingerprint(self) -> str:
        """What Alertmanager makes of the labels: FNV-1a, 64 bits."""
        found = _FNV_OFFSET
        for name in sorted(self.labels):
            for byte in (*name.encode(), 0xFF, *self.labels[name].encode(), 0xFF):
                found = (found ^ byte) * _FNV_PRIME % (1 << 64)
        return f"{found:016x}"


def alert_of(
    notice: Notice, extra: Mapping[str, str] | None = None, *, max_annotation: int = MAX_ANNOTATION
) -> Alert:
    """Return the alert of a notice; `extra` are labels that the target adds."""
    if notice.kind == TEST:
        name = "htmengine_test"
    else:
        name = "htmengine_anomaly" if notice.subject == "metrics" else "htmengine_engine"
    labels = {
        **(extra or {}),
        "alertname": name,
        "metric": notice.first.metric,
        "incident": notice.incident,
        "severity": notice.first.severity,
        "group": notice.first.group,
        "installation": notice.installation,
    }
    strongest = notice.metrics[0] if notice.metrics else None
    usual = strongest.usual if strongest else None
    annotations = {
        "summary": notice.title,
        "why": sentence_of(notice),
        "description": "\n".join(body_lines(notice)),
        "value": "" if strongest is None or strongest.value is None else number(strongest.value),
        "usual": "" if usual is None else f"{number(usual[0])} to {number(usual[1])}",
        "current_severity": notice.severity,
        "hint": notice.hint,
        "url": notice.url,
    }
    return Alert(
        # Alertmanager drops labels that are empty, and other characters than those of UTF-8 it refuses.
        {key: _clean(shortened(value, MAX_LABEL)) for key, value in labels.items() if value},
        {key: _clean(shortened(value, max_annotation)) for key, value in annotations.items() if value},
        iso_times.text(notice.started, "seconds"),
        notice.url if is_address(notice.url) else "",
    )


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


class Alertmanager:
    """Pushes alerts to all members of a cluster: any of them tells the others, but only of what it was told itself.

    Parameters
    ----------
    receivers : one for each member; a notice is delivered when one of them has it. One that was not reached is asked again
        after a while only, unless no other takes a notice: to wait for it each time would be so long that alerts of the others
        end.
    labels : are added to each alert.
    clock : seconds since the epoch.
    timer : seconds that only grow.
    """

    kind = KIND
    repeat_s = REPEAT_S
    repeat_resolved_s = REPEAT_RESOLVED_S

    def __init__(
        self,
        name: str,
        receivers: Sequence[Receiver],
        *,
        labels: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._receivers = receivers
        self._timer = timer
        self._away_until = [-math.inf] * len(receivers)
        self._labels = dict(labels or {})
        self._clock = clock

    def send(self, notice: Notice) -> Outcome:
        """Push it."""
        body = msgspec.json.encode([pushed(notice, self._labels, self._clock())])
        now = self._timer()
        places = range(len(self._receivers))
        outcomes = self._post([place for place in places if self._away_until[place] <= now], body)
        if not any(isinstance(outcome, Delivered) for outcome in outcomes.values()):
            outcomes |= self._post([place for place in places if place not in outcomes], body)
        return _joined([(self._receivers[place].shown, outcome) for place, outcome in outcomes.items()])

    def _post(self, places: Sequence[int], body: bytes) -> dict[int, Outcome]:
        """Ask some members at once, and return what each said, by its place."""
        if not places:
            return {}
        with ThreadPoolExecutor(len(places)) as pool:
            found = pool.map(lambda place: self._receivers[place].post(body, path=PATH), places)
            outcomes = dict(zip(places, found, strict=True))
        for place, outcome in outcomes.items():
            if isinstance(outcome, Retry) and len(self._receivers) > 1:
                self._away_until[place] = self._timer() + AWAY_S
        return outcomes

    def describe(self) -> Mapping[str, str]:
        """Return its settings, without secrets."""
        found = {"url": ", ".join(receiver.shown for receiver in self._receivers)}
        if self._labels:
            found["labels"] = ", ".join(f"{key}={value}" for key, value in self._labels.items())
        return found

    def close(self) -> None:
        """Nothing is held."""

    def __repr__(self) -> str:
        return f"Alertmanager({self.name}, {self.describe()['url']})"


def _joined(outcomes: Sequence[tuple[str, Outcome]]) -> Outcome:
    """Return what became of a notice that several members were given."""
    if len(outcomes) == 1:
        return outcomes[0][1]
    missed = [(shown, outcome) for shown, outcome in outcomes if not isinstance(outcome, Delivered)]
    reason = one_line("; ".join(f"{shown}: {outcome.reason}" for shown, outcome in missed), MAX_REASON)
    if len(missed) < len(outcomes):
        return Delivered(f"not taken by {reason}" if missed else "")
    # Where any may take it later, it is tried again.
    pauses = [outcome.after_s or 0.0 for _, outcome in missed if isinstance(outcome, Retry)]
    if pauses:
        return Retry(reason, min(pauses) or None)
    if any(isinstance(outcome, Refused) for _, outcome in missed):
        return Refused(reason)
    return Gone(reason)


def pushed(notice: Notice, labels: Mapping[str, str], now: float) -> dict[str, Any]:
    """Return an alert as Alertmanager's API takes it."""
    alert = alert_of(notice, labels)
    ended = notice.kind == RESOLVED
    end = notice.ended if ended and notice.ended is not None else now + LASTS_S
    found: dict[str, Any] = {
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": alert.starts_at,
        "endsAt": iso_times.text(max(end, notice.started), "seconds"),
    }
    if alert.url:
        found["generatorURL"] = alert.url
    return found


def webhook_body(notice: Notice, receiver: str) -> bytes:
    """Return a notice as Alertmanager's webhooks tell it, version 4, for receivers that take these."""
    body = b""
    for length in (MAX_ANNOTATION, 1000, 300, 100):
        body = msgspec.json.encode(_webhook(notice, alert_of(notice, max_annotation=length), receiver))
        if len(body) <= MAX_BYTES:
            break
    return body


def _webhook(notice: Notice, alert: Alert, receiver: str) -> dict[str, Any]:
    status = "resolved" if notice.kind == RESOLVED else "firing"
    ended = notice.ended if notice.kind == RESOLVED else None
    group = {key: alert.labels[key] for key in ("alertname", "incident", "installation")}
    site = urlsplit(alert.url)
    return {
        "version": "4",
        "groupKey": "{}:{" + ", ".join(f'{key}="{value}"' for key, value in group.items()) + "}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": receiver,
        "groupLabels": group,
        "commonLabels": alert.labels,
        "commonAnnotations": alert.annotations,
        "externalURL": f"{site.scheme}://{site.netloc}" if alert.url else "",
        "alerts": [
            {
                "status": status,
                "labels": alert.labels,
                "annotations": alert.annotations,
                "startsAt": alert.starts_at,
                "endsAt": NEVER if ended is None else iso_times.text(max(ended, notice.started), "seconds"),
                "generatorURL": alert.url,
                "fingerprint": alert.fingerprint,
            }
        ],
    }


def label_name(name: str) -> str:
    """Return the name of a label that may be added. Raises ValueError for another."""
    if not _LABEL.fullmatch(name) or name.startswith("__"):
        raise ValueError(
            f"has the name {name!r}, which has other characters than letters of ASCII, digits and _"
        )
    if name in _OWN_LABELS:
        raise ValueError(f"has the name {name}, which is a label of every alert")
    return name


def _labels(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError('is no table; write { team = "db" }')
    if len(value) > MAX_LABELS:
        raise ValueError(f"has more than {MAX_LABELS} labels")
    found = {label_name(name): one for name, one in value.items()}
    for name, one in found.items():
        if not isinstance(one, str) or not one:
            raise ValueError(f"has the label {name}, whose value is no text, or empty")
    return found


def read(settings: Settings) -> Alertmanager | None:
    """Return the target of a table; None where something in it is wrong."""
    receivers = settings.receivers()
    labels = settings.get("labels", _labels)
    if not receivers:
        return None
    return Alertmanager(settings.name, receivers, labels=labels)
