"""The contract between whoever sends notices and the targets: what a target is given, and what it answers.

A target holds no state of incidents. It is asked again with the same notice until it has answered with `Delivered`, `Refused`
or `Gone`, perhaps by another process, so that what it sends depends on the notice, its own settings and the clock alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol, TypeAlias

from htmengine.alerts.notice import Notice

MAX_RETRY_AFTER_S: Final = 3600.0
"""A receiver that asks for a longer pause is asked again after this one."""
TIMEOUT_S: Final = 15.0
"""A try takes no longer."""


class Delivered(NamedTuple):
    """The receiver has it."""

    note: str = ""
    """What it answered, where that helps to find the message again."""


class Retry(NamedTuple):
    """It may not have it; the same is to be sent again."""

    reason: str
    after_s: float | None = None
    """Not sooner, because the receiver said so; at most `MAX_RETRY_AFTER_S`."""


class Refused(NamedTuple):
    """The receiver will not take this notice, however often it is sent."""

    reason: str


class Gone(NamedTuple):
    """The receiver wants nothing any more: the target is to be disabled."""

    reason: str


Outcome: TypeAlias = Delivered | Retry | Refused | Gone
"""Reasons are for people: they hold no secret, and of what a receiver answered no more than a line."""


class Target(Protocol):
    """A place to which notices go. Its `repr` holds no secret."""

    @property
    def name(self) -> str:
        """As it is configured."""

    @property
    def kind(self) -> str:
        """Such as `webhook`."""

    @property
    def repeat_s(self) -> float | None:
        """How often the newest notice of an open incident is to be sent again; None: once is enough."""

    @property
    def repeat_resolved_s(self) -> float:
        """For how long after it was delivered a resolved notice is still sent again, every `repeat_s`; 0: not at all."""

    def send(self, notice: Notice) -> Outcome:
        """Send it, and return what came of it. It blocks for at most about `TIMEOUT_S`, and raises nothing that is usual."""

    def describe(self) -> Mapping[str, str]:
        """Return its settings for people, without secrets: `url`, `to`, and so on."""

    def close(self) -> None:
        """Free what it holds."""
