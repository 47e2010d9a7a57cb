"""What is told of an incident: everything that a target needs to write its message, and nothing that changes between tries.

A notice is stored as JSON when the incident changes. Whatever is sent of it later, and however often, is made from that
alone, so that every try tells the same under the same id.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from htmengine.readable import counted, duration

OPENED: Final = "opened"
GREW: Final = "grew"
RESOLVED: Final = "resolved"
TEST: Final = "test"
Kind: TypeAlias = Literal["opened", "grew", "resolved", "test"]
Severity: TypeAlias = Literal["info", "warning", "critical"]
Subject: TypeAlias = Literal["metrics", "engine"]
MAX_METRICS: Final = 20
"""A notice tells of at most so many metrics, the first movers; `metric_count` tells how many there are."""
MAX_ID_LENGTH: Final = 64

Id: TypeAlias = Annotated[
    str, Meta(pattern=rf"^[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_ID_LENGTH - 1}}}$", max_length=MAX_ID_LENGTH)
]
"""It stands in headers, addresses and message ids as it is."""

_SEPARATORS: Final = re.compile(r"[./:;]")


class MetricFacts(Struct, frozen=True, omit_defaults=True):
    """One metric of an incident. Of its strongest alarm: what stands from `time` on."""

    name: str
    first: float
    """Seconds since the epoch of its first alarm, as are all times here."""
    uid: str = ""
    lag_s: float = 0.0
    """Behind the incident's first alarm."""
    alarms: int = 1
    time: float | None = None
    value: float | None = None
    score: float | None = None
    """On the log scale, 0 to 1."""
    one_in: float | None = None
    """One in how many samples of the metric is as unusual."""
    forecast: float | None = None
    usual: tuple[float, float] | None = None
    """99 of 100 values lie between these two."""
    cause: str | None = None
    direction: str | None = None
    """up, down, or pattern."""
    reason: str = ""
    """In a few words: `far above its forecast`."""
    sentence: str = ""
    """The same with numbers, to stand behind the name."""


class Link(Struct, frozen=True):
    """An address to open, with the text that stands for it."""

    text: str
    url: str


class First(Struct, frozen=True):
    """What the first notice of an incident to a target said. It stays, whatever becomes of the incident.

    Receivers that know an alert by its labels, or a message by the one that it answers, know the incident by this.
    """

    id: Id
    severity: Severity
    metric: str
    """Name of the metric that was the first mover then."""

    @property
    def group(self) -> str:
        """The first segment of that name."""
        return _SEPARATORS.split(self.metric, maxsplit=1)[0]


class Notice(Struct, frozen=True, omit_defaults=True):
    """What is told of an incident at one time. Texts are plain; times are seconds since the epoch."""

    id: Id
    """Its own, the same for all tries."""
    kind: Kind
    time: float
    """When there was something to tell."""
    installation: Id
    """Names this engine among others that tell the same receiver."""
    incident: Id
    severity: Severity
    first: First
    started: float
    sentence: str
    """The incident in one, without its full stop."""
    rule: str
    """Name of the rule for which it is told."""
    ended: float | None = None
    """None while it lasts."""
    subject: Subject = "metrics"
    """Whether metrics alarm, or the engine has found something wrong with itself."""
    first_mover: str = ""
    """Name of the metric that alarmed first. Of the engine: of what it has looked at, such as `disk`."""
    metrics: tuple[MetricFacts, ...] = ()
    """At most `MAX_METRICS`, the first movers first."""
    metric_count: int = 0
    alarm_count: int = 0
    hint: str = ""
    """What to do next, where that is known."""
    url: str = ""
    """The incident's page, an absolute address; empty where nobody has told under which address the page is found."""
    actions: tuple[Link, ...] = ()
    """Further pages: acknowledge, snooze, and so on."""
    merged_into: Id | None = None
    """The incident of which this one turned out to be part; it is told as resolved then."""

    @property
    def is_first(self) -> bool:
        """Whether nothing was told of this incident before. A resolved one was over before it could be told, then."""
        return self.first.id == self.id

    @property
    def title(self) -> str:
        """A line for subjects and headings: what it is about, and whether it still goes on."""
        if self.kind == TEST:
            return "Test message of htmengine"
        what = self.first_mover or self.incident
        if self.metric_count > 1:
            what = f"{what} and {counted(self.metric_count - 1, 'other metric')}"
        if self.subject == "engine":
            what = f"htmengine: {what}"
        word = self.state if self.kind == RESOLVED else self.severity
        return f"{word.capitalize()}: {what}"

    @property
    def state(self) -> str:
        """`open`, `resolved`, or `part of i12`."""
        if self.merged_into is not None:
            return f"part of {self.merged_into}"
        return "resolved" if self.kind == RESOLVED else "open"

    @property
    def more(self) -> int:
        """How many metrics the incident has besides those told."""
        return max(0, self.metric_count - len(self.metrics))

    @property
    def lasted_s(self) -> float | None:
        """How long it lasted; None while it does."""
        return None if self.ended is None else max(0.0, self.ended - self.started)


def encode(notice: Notice) -> bytes:
    """Return a notice as JSON, to be stored."""
    return msgspec.json.encode(notice)


def decode(stored: bytes | str) -> Notice:
    """Return a stored notice. Raises msgspec.ValidationError for what is none."""
    return msgspec.json.decode(stored, type=Notice)


def trial_notice(id_: str, installation: str, time: float, *, url: str = "") -> Notice:
    """Return a notice that tells of nothing, to try a target."""
    sentence = "this target was tried; nothing is wrong"
    return Notice(
        id=id_,
        kind=TEST,
        time=time,
        installation=installation,
        incident="test",
        severity="info",
        first=First(id_, "info", ""),
        started=time,
        ended=time,
        sentence=sentence,
        rule="test",
        url=url,
    )


def body_lines(notice: Notice, *, metrics: int = MAX_METRICS) -> list[str]:
    """Return the notice as plain text, a line each, for mail, chats and terminals; without its title.

    Parameters
    ----------
    metrics : at most so many have a line of their own.
    """
    lines = [f"{sentence_of(notice)}."]
    if notice.hint:
        lines.append(notice.hint)
    shown = notice.metrics[:metrics] if notice.metric_count > 1 else ()
    lines += [metric_line(metric) for metric in shown]
    if shown and notice.metric_count > len(shown):
        lines.append(f"and {counted(notice.metric_count - len(shown), 'more metric')}")
    if notice.url:
        lines.append(notice.url)
    lines += [f"{link.text}: {link.url}" for link in notice.actions]
    return lines


def sentence_of(notice: Notice) -> str:
    """Return what has happened in a sentence without its full stop, which tells when it is over, too."""
    sentence = notice.sentence
    if notice.merged_into is not None:
        return f"{sentence}; it turned out to be part of {notice.merged_into}"
    if notice.kind == RESOLVED and notice.lasted_s is not None:
        lasted = f" after {duration(notice.lasted_s)}" if notice.lasted_s else ""
        return f"{sentence}; over{lasted}"
    return sentence


def metric_line(metric: MetricFacts) -> str:
    """Return a metric and what is unusual about it, with its lag."""
    lag = f"+{duration(metric.lag_s)} " if metric.lag_s else ""
    why = metric.sentence or metric.reason
    return f"{lag}{metric.name}: {why}" if why else f"{lag}{metric.name}"
