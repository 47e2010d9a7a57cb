"""What the API answers with about the engine itself: its stages, what it refused and put aside."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Latency(Struct, frozen=True):
    """From samples' own times to their scores, of those that were sent live lately."""

    median_s: float
    p99_s: float


class Stage(Struct, frozen=True):
    """A stage on the path of a sample."""

    id: str
    title: str
    state: Literal["well", "trouble", "unknown"]
    rate_in: float | None
    """Each second."""
    rate_out: float | None
    rates: list[float]
    """What went out, each second, of the last five minutes, the oldest first."""
    queued: int | None
    """Messages that wait for it or are in its hands."""
    lag_s: float | None
    """Age of the oldest of them."""
    errors: int
    """Lines that it refused and messages that it put aside."""
    restarts: int
    up_s: float | None
    text: str | None
    do: str | None
    """What to do, where it is in trouble."""


class SilentMetric(Struct, frozen=True):
    """A metric that sends no more."""

    uid: str
    name: str
    expected_s: float | None
    """From a sample to the next, usually."""
    silent_s: float


class NewName(Struct, frozen=True):
    """A metric that came lately."""

    name: str
    time: float


class Disk(Struct, frozen=True):
    """The disk of the data folder."""

    free_bytes: int
    total_bytes: int


class Checkpoints(Struct, frozen=True):
    """Models that were saved since the start of the scheduler."""

    last_age_s: float | None
    """Since the last one; null: none was yet."""
    saved: int


class HealthAnswer(Struct, frozen=True):
    """The engine: the path of a sample, and what is beside it."""

    latency: Latency | None
    stages: list[Stage]
    silent: list[SilentMetric]
    """The longest silent first."""
    new_names: list[NewName]
    versions: dict[str, str]
    config: list[str]
    disk: Disk | None
    findings: list[str]
    """As `htmengine doctor` lists them."""
    checkpoints: Checkpoints | None = None
    """Null where no models are scored."""


class Refusal(Struct, frozen=True):
    """Input that was refused since the service's start, by its reason."""

    door: str
    reason: str
    count: int
    sample: str | None
    """The newest that is kept."""
    peer: str | None
    """The address that it came from; null where nobody knows."""
    last: float | None
    """When it came in; null from a service of an earlier version."""
    cure: str | None


class Refusals(Struct, frozen=True):
    """All of it, the most frequent first."""

    items: list[Refusal]


class DeadLetter(Struct, frozen=True):
    """A message that could not be worked on."""

    id: str
    queue: str
    reason: str
    time: float
    size: int
    deliveries: int


class DeadLetters(Struct, frozen=True):
    """Some of them, the oldest first."""

    items: list[DeadLetter]
    next: str | None
    total: int
    """At most ten thousand are counted."""


class Door(Struct, frozen=True):
    """A way in for samples."""

    id: str
    title: str
    host: str
    port: int
    samples_10s: int | None
    """About how many came in the last ten seconds."""
    last_sample: float | None
    """When samples came through it last, to a few seconds; null: none since this server looked first."""
    last_refusal: Refusal | None
    samples: int = 0
    """That came through it since the start of its service."""


class Doors(Struct, frozen=True):
    """The ways in that are open."""

    items: list[Door]


class RoadStep(Struct, frozen=True):
    """Where a sample is, or was."""

    stage: str
    state: Literal["done", "waiting", "stopped"]
    time: float | None
    text: str


class Road(Struct, frozen=True):
    """The path of one sample."""

    steps: list[RoadStep]


class Requeued(Struct, frozen=True):
    """What became of it."""

    requeued: int


class Discarded(Struct, frozen=True):
    """What became of it."""

    discarded: int
