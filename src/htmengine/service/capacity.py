"""What a machine can carry, from what was measured on it: how many metrics at which interval, and for how many days.

`htmengine capacity` measures and keeps the result in the data folder; whoever warns reads it there. What is promised here
is arithmetic over measured figures, with two factors that a minute cannot measure, each with its reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec

from htmengine import config
from htmengine.readable import counted
from htmengine.service.context import data_folder
from htmengine.system import private

FILE: Final = "capacity.json"
INTERVALS_S: Final = (10, 60, 300)
"""From a sample of a metric to its next, for which a promise is made."""
HEADROOM: Final = 0.5
"""Of what the engine carries at most. Beyond that samples wait for each other: seconds, where it is tenths of one at half."""
LARGE_FLEET: Final = 2.5
"""What a sample of a hundred thousand metrics with a day of history costs against one of a thousand, as
`benchmarks/fleet` measured it: their rows and models are in no cache of the processor."""
PACKED_BYTES, UNPACKED_BYTES = 25 << 10, 48 << 10
"""Of a model of the default set that has learned: packed, and ready for use."""
OWN_BYTES: Final = 1 << 10
"""What the scheduler keeps of a model besides."""
METRIC_BYTES: Final = 2 << 10
"""What the services keep of a metric that is monitored, besides its model."""
MEMORY_SHARE: Final = 0.75
"""Of the memory that was free, for models; the rest is for the services, and for the disk's cache."""
CHECKPOINTS: Final = 4
"""Of a model on the disk, once it has run for long: the newest two, and anchors before them."""
LEAST_DAYS: Final = 1.0
"""Of history; for less there is no promise."""
WARNS_FROM: Final = 0.8
"""Of what is promised."""
SECONDS_PER_DAY: Final = 86_400

Limit = Literal["cpu", "memory", "disk"]


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured on a machine."""

    at: float
    """When, in seconds since the epoch."""
    seconds: float
    """How long samples were counted."""
    metrics: int
    real: bool
    """The values were those of metrics that are stored here; else they were made up."""
    cores: int
    samples_per_second: float
    """At saturation, all services and the disk included."""
    cpu_us_per_sample: float
    written_bytes_per_sample: float | None
    """None where the operating system does not tell."""
    bytes_per_model: float
    """In memory, with what else of a metric is kept there."""
    bytes_per_checkpoint: float
    bytes_per_row: float
    memory_bytes: int
    """Free when it was measured."""
    disk_bytes: int
    """Free of the data folder's disk when it was measured, without what is left to others."""
    beside_engine: bool
    """An engine ran in the folder meanwhile, and had its share of all of this."""


class Need(NamedTuple):
    """How much memory models of the default set take."""

    packed: int
    ready: int


def need(models: int) -> Need:
    """Return how much memory so many models take that have learned: all packed, and all ready for use."""
    return Need(models * (PACKED_BYTES + OWN_BYTES), models * (UNPACKED_BYTES + OWN_BYTES))


def resident_mebibytes(model_bytes: int) -> int:
    """Return the least memory for models and what is kept beside them that leaves so much for the models themselves."""
    mebibytes = model_bytes >> 20
    while config.Scheduler(resident_bytes=mebibytes << 20).model_bytes < model_bytes:
        mebibytes += 1
    return mebibytes


class Promise(NamedTuple):
    """How many metrics can be watched at an interval."""

    interval_s: int
    metrics: int
    limit: Limit
    """What allows no more."""
    history_days: float
    """For how long rows of so many metrics stay."""


def promised_rate(measured: Measured) -> float:
    """Return how many samples a second are promised, of however many metrics."""
    return measured.samples_per_second * HEADROOM / LARGE_FLEET


def promised_models(measured: Measured) -> int:
    """Return how many models are promised to find room in memory."""
    return int(measured.memory_bytes * MEMORY_SHARE / measured.bytes_per_model)


def promise(measured: Measured, interval_s: int) -> Promise:
    """Return how many metrics a machine can watch at an interval, by what is least."""
    rows_a_day = SECONDS_PER_DAY / interval_s
    fixed = CHECKPOINTS * measured.bytes_per_checkpoint
    by_limit: dict[Limit, int] = {
        "cpu": int(promised_rate(measured) * interval_s),
        "memory": promised_models(measured),
        "disk": int(measured.disk_bytes / (fixed + LEAST_DAYS * rows_a_day * measured.bytes_per_row)),
    }
    limit = min(by_limit, key=lambda name: by_limit[name])
    metrics = by_limit[limit]
    left = measured.disk_bytes - metrics * fixed
    days = left / (metrics * rows_a_day * measured.bytes_per_row) if metrics else 0.0
    return Promise(interval_s, metrics, limit, days)


def promises(measured: Measured) -> list[Promise]:
    """Return a promise for each of INTERVALS_S."""
    return [promise(measured, interval) for interval in INTERVALS_S]


class Use(NamedTuple):
    """How much of what is promised is used."""

    share: float
    limit: Limit
    sentence: str


def use(measured: Measured, *, models: int, samples_per_second: float | None) -> Use:
    """Return how near an engine is to what was promised: of what it uses most.

    `samples_per_second` : that come in; None where it is not known.
    """
    by_memory = Use(
        models / max(promised_models(measured), 1),
        "memory",
        f"{counted(models, 'model')} where {promised_models(measured):,} find room in memory",
    )
    if samples_per_second is None:
        return by_memory
    rate = promised_rate(measured)
    by_cpu = Use(
        samples_per_second / rate,
        "cpu",
        f"{samples_per_second:,.0f} samples a second where {rate:,.0f} are carried without delay",
    )
    return max(by_cpu, by_memory)


def load(settings: config.Settings) -> Measured | None:
    """Return what was measured last for an installation; None where nothing was, or it cannot be read."""
    path = _path(settings)
    try:
        return None if path is None else msgspec.json.decode(path.read_bytes(), type=Measured)
    except (OSError, msgspec.MsgspecError):
        return None


def store(settings: config.Settings, measured: Measured) -> None:
    """Keep what was measured, where there is a data folder."""
    path = _path(settings)
    if path is not None:
        private.replace_text(path, msgspec.json.encode(measured).decode())


def _path(settings: config.Settings) -> Path | None:
    folder = data_folder(settings)
    return None if folder is None else folder / FILE
