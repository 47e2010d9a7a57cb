"""A notice as JSON for programs: the body of our own webhook, and what a script gets."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from htmengine import iso_times
from htmengine.alerts.notice import Link, MetricFacts, Notice, sentence_of
from htmengine.alerts.targets.texts import shortened

MAX_BYTES: Final = 20_000
_TYPES: Final = {
    "opened": "incident.opened",
    "grew": "incident.updated",
    "resolved": "incident.resolved",
    "test": "test.ping",
}
_LENGTHS: Final = (2000, 500, 120)
"""To so many characters texts are cut, one after the other, where a notice is too long even without its metrics."""


class Incident(Struct, frozen=True):
    """The incident as it was when there was something to tell. Times are seconds since the epoch."""

    id: str
    state: str
    """open, resolved or merged."""
    severity: str
    subject: str
    """metrics, or engine: the engine has found something wrong with itself."""
    opened: float
    resolved: float | None
    first_mover: str
    metric_count: int
    alarm_count: int
    title: str
    sentence: str
    hint: str
    rule: str
    url: str
    merged_into: str | None


class Metric(Struct, frozen=True):
    """One of its metrics; what stands from `time` on tells of its strongest alarm."""

    uid: str
    name: str
    first: float
    lag: float
    alarms: int
    time: float | None
    value: float | None
    score: float | None
    one_in: float | None
    forecast: float | None
    usual: tuple[float, float] | None
    cause: str | None
    direction: str | None
    reason: str
    sentence: str


class Data(Struct, frozen=True):
    """What has happened."""

    installation: str
    incident: Incident
    metrics: list[Metric]
    """The first movers; `metric_count` of the incident tells how many there are."""
    why: str
    """In a sentence."""
    links: list[Link]


class Event(Struct, frozen=True):
    """What is sent."""

    type: str
    timestamp: str
    data: Data


def encoded(notice: Notice) -> bytes:
    """Return a notice as JSON of at most `MAX_BYTES`: what is longer loses its last metrics, and then the ends of its texts."""
    event = _event(notice)
    metrics = event.data.metrics
    body = msgspec.json.encode(event)
    count = len(metrics)
    while len(body) > MAX_BYTES and count:
        count -= 1
        body = msgspec.json.encode(_with(event, metrics[:count]))
    for length in _LENGTHS:
        if len(body) <= MAX_BYTES:
            break
        body = msgspec.json.encode(_cut(_with(event, metrics[:1]), length))
    return body


def _with(event: Event, metrics: list[Metric]) -> Event:
    return msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, metrics=metrics))


def _cut(event: Event, length: int) -> Event:
    """Return an event with texts of at most this length."""

    def cut(value: object) -> object:
        if isinstance(value, str):
            return shortened(value, length)
        if isinstance(value, dict):
            return {key: cut(one) for key, one in value.items()}
        if isinstance(value, list):
            return [cut(one) for one in value[:10]]
        return value

    return msgspec.convert(cut(msgspec.to_builtins(event)), Event)


def _event(notice: Notice) -> Event:
    return Event(
        type=_TYPES[notice.kind],
        timestamp=iso_times.text(notice.time, "seconds"),
        data=Data(
            installation=notice.installation,
            incident=Incident(
                id=notice.incident,
                state="merged" if notice.merged_into is not None else notice.state,
                severity=notice.severity,
                subject=notice.subject,
                opened=notice.started,
                resolved=notice.ended,
                first_mover=notice.first_mover,
                metric_count=notice.metric_count,
                alarm_count=notice.alarm_count,
                title=notice.title,
                sentence=notice.sentence,
                hint=notice.hint,
                rule=notice.rule,
                url=notice.url,
                merged_into=notice.merged_into,
            ),
            metrics=[_metric(metric) for metric in notice.metrics],
            why=sentence_of(notice),
            links=list(notice.actions),
        ),
    )


def _metric(metric: MetricFacts) -> Metric:
    return Metric(
        uid=metric.uid,
        name=metric.name,
        first=metric.first,
        lag=metric.lag_s,
        alarms=metric.alarms,
        time=metric.time,
        value=metric.value,
        score=metric.score,
        one_in=metric.one_in,
        forecast=metric.forecast,
        usual=metric.usual,
        cause=metric.cause,
        direction=metric.direction,
        reason=metric.reason,
        sentence=metric.sentence,
    )
