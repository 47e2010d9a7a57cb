"""Draws labelled operations series. The same seed gives the same series; how many are drawn changes none of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.ops.events import KINDS, Event, Kind
from benchmarks.ops.signals import FAMILIES, Signal
from htmengine.htm.arrays import FloatArray

PROBATION = 0.15
"""Share of a series at its start without events, in which detections do not count."""

_FIRST_TIMESTAMP = 1_735_689_600  # 2025-01-01, UTC
_APART = 20
"""Fewest records from one event to the next."""
_MARGIN = 200
"""More records than go missing before the first event."""


@dataclass(frozen=True)
class Series:
    """A metric and what happened to it."""

    family: str
    timestamps: FloatArray
    """Shape (n,). Seconds since the epoch, one or five minutes apart; where a sample is missing there is a gap."""
    values: FloatArray
    """Shape (n,)."""
    events: tuple[Event, ...]
    """In order; no two touch."""

    @property
    def probation(self) -> int:
        """Records at the start in which detections do not count."""
        return int(PROBATION * len(self.values))


def generate(count: int, seed: int) -> list[Series]:
    """Return ``count`` series of 5,000 to 20,000 records with 1 to 10 events each."""
    return [_series(np.random.Generator(np.random.PCG64([seed, number]))) for number in range(count)]


def _series(rng: np.random.Generator) -> Series:
    length = int(rng.integers(5_000, 20_001))
    interval = int(rng.choice([60, 300]))
    start = _FIRST_TIMESTAMP + interval * int(rng.integers(0, 365 * 86_400 // interval))
    times = start + interval * np.arange(length, dtype=np.float64)
    family = str(rng.choice(list(FAMILIES), p=_shares([share for _, share in FAMILIES.values()])))
    signal = FAMILIES[family][0](rng, times)
    events = _draw_events(rng, signal, length)
    values = signal.observe(signal.expected + signal.noise)
    kept = _kept(rng, length, events)
    # Places move up by the samples that are missing before them.
    place = np.cumsum(kept) - 1
    moved = tuple(Event(event.kind, int(place[event.first]), int(place[event.last])) for event in events)
    return Series(family, times[kept], values[kept], moved)


def _draw_events(rng: np.random.Generator, signal: Signal, length: int) -> list[Event]:
    """Let 1 to 10 events happen to a signal and return them in order."""
    kinds = {name: kind for name, kind in KINDS.items() if name not in signal.immune}
    shares = _shares([kind.share for kind in kinds.values()])
    wanted = int(rng.integers(1, 11))
    events: list[Event] = []
    while len(events) < wanted:
        name = str(rng.choice(list(kinds), p=shares))
        extent = _extent(rng, kinds[name], events, length)
        if all(_apart(extent.start, extent.stop - 1, event) for event in events):
            kinds[name].apply(rng, signal, extent)
            events.append(Event(name, extent.start, extent.stop - 1))
    return sorted(events, key=lambda event: event.first)


def _extent(rng: np.random.Generator, kind: Kind, events: list[Event], length: int) -> slice:
    """Draw where an event lies: anywhere behind probation, or (one in five) soon after another one."""
    size = round(float(np.exp(rng.uniform(np.log(kind.shortest), np.log(kind.longest)))))
    # Behind probation also when samples before it go missing, and with time for a reaction at the end.
    earliest, latest = int(PROBATION * length) + _MARGIN, length - size - _APART
    first = int(rng.integers(earliest, latest))
    if events and rng.random() < 0.2:
        earlier = events[int(rng.integers(len(events)))]
        first = min(earlier.last + int(rng.integers(_APART, 4 * _APART)), latest)
    return slice(first, first + size)


def _apart(first: int, last: int, event: Event) -> bool:
    return first - event.last >= _APART or event.first - last >= _APART


def _kept(rng: np.random.Generator, length: int, events: list[Event]) -> npt.NDArray[np.bool_]:
    """Draw which samples arrive: all of them, or all but single ones and one longer gap. Those of events all do."""
    kept = np.ones(length, dtype=np.bool_)
    if rng.random() < 0.4:
        kept &= rng.random(length) >= rng.uniform(0.0005, 0.01)
        gap = int(rng.integers(length - 60))
        kept[gap : gap + int(rng.integers(5, 60))] = False
    for event in events:
        kept[event.first - _APART // 2 : event.last + _APART // 2] = True
    return kept


def _shares(weights: list[float]) -> FloatArray:
    return np.array(weights) / sum(weights)
