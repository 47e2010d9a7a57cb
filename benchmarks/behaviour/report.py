"""What a detector makes of the behaviours: what it finds, how late, and how often it alarms over nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.behaviour import hours, outliers, steady
from benchmarks.behaviour.series import Behaviour, Series
from benchmarks.detectors import FIXED_THRESHOLD, Detector, ModelDetector
from benchmarks.parallel import Samples, scores_of
from benchmarks.summary import Report
from htmengine.htm.arrays import FloatArray

BEHAVIOURS: dict[str, Behaviour] = steady.BEHAVIOURS | outliers.BEHAVIOURS | hours.BEHAVIOURS

_DEFAULT = ModelDetector("default")


@dataclass(frozen=True)
class Outcome:
    """What came of some series."""

    records: int
    """Those at which an alarm counts."""
    events: int
    delays: tuple[int, ...]
    """Samples from the beginning of each event that was found to its first alarm; 0 is the first sample."""
    further: int
    """Other alarms during events and while they settle."""
    false_alarms: int

    @property
    def found(self) -> float:
        """Share of the events that were found; NaN if there are none."""
        return len(self.delays) / self.events if self.events else float("nan")

    @property
    def delay(self) -> float:
        """Median delay of the events that were found; NaN if none was."""
        return float(np.median(self.delays)) if self.delays else float("nan")

    @property
    def further_per_event(self) -> float:
        """Alarms of an event that was found after its first one, on average; NaN if none was."""
        return self.further / len(self.delays) if self.delays else float("nan")

    @property
    def false_per_1000(self) -> float:
        """False alarms in a thousand records."""
        return 1000.0 * self.false_alarms / self.records


@dataclass(frozen=True)
class Pair:
    """What came of some series, and of the same ones without their disturbances where there are such."""

    disturbed: Outcome
    undisturbed: Outcome | None = None

    @property
    def relative(self) -> float:
        """Events that were found, over those found without the disturbance; NaN if there is nothing to compare."""
        if self.undisturbed is None or not self.undisturbed.delays:
            return float("nan")
        return len(self.disturbed.delays) / len(self.undisturbed.delays)


def outcome(series: Sequence[Series], scores: Sequence[FloatArray]) -> Outcome:
    """Return what came of some series. ``scores`` has one array for each."""
    records = events = further = false_alarms = 0
    delays: list[int] = []
    for one, own in zip(series, scores, strict=True):
        counted = np.arange(len(own)) >= one.counted_from
        for ignored in one.ignored:
            counted[ignored.start : ignored.stop] = False
        alarms = np.flatnonzero((own >= FIXED_THRESHOLD) & counted)
        due = np.zeros(len(own), dtype=bool)
        for event in one.events:
            due[event.start : event.stop + one.settling] = True
            inside = alarms[(alarms >= event.start) & (alarms < event.stop)]
            delays += [int(inside[0]) - event.start] if inside.size else []
            later = alarms[(alarms >= event.start) & (alarms < event.stop + one.settling)]
            further += max(later.size - 1, 0) if inside.size else 0
        records += int(counted.sum())
        events += len(one.events)
        false_alarms += int((~due[alarms]).sum())
    return Outcome(records, events, tuple(delays), further, false_alarms)


def measure(name: str, seeds: Sequence[int], detector: Detector = _DEFAULT) -> Outcome:
    """Return what the detector makes of one behaviour, a series for each seed."""
    return compare([name], seeds, detector, jobs=1)[name].disturbed


def compare(
    names: Sequence[str], seeds: Sequence[int], detector: Detector = _DEFAULT, *, jobs: int | None = None
) -> dict[str, Pair]:
    """Return by name what the detector makes of behaviours, with their disturbances and without."""
    series = {name: [BEHAVIOURS[name](np.random.default_rng(seed)) for seed in seeds] for name in names}
    tasks = []
    for several in series.values():
        tasks += [Samples(one.timestamps, one.values, seed) for one, seed in zip(several, seeds, strict=True)]
        tasks += [
            Samples(one.timestamps, one.undisturbed, seed)
            for one, seed in zip(several, seeds, strict=True)
            if one.undisturbed is not None
        ]
    scores = iter(scores_of(detector, tasks, jobs=jobs))
    pairs = {}
    for name, several in series.items():
        disturbed = outcome(several, [next(scores) for _ in several])
        comparable = [one for one in several if one.undisturbed is not None]
        undisturbed = outcome(comparable, [next(scores) for _ in comparable]) if comparable else None
        pairs[name] = Pair(disturbed, undisturbed)
    return pairs


def as_table(pairs: Mapping[str, Pair]) -> str:
    """Return the behaviours and what comes of them, as a table in Markdown."""
    lines = [
        "| Behaviour | Found | Median delay | Further alarms per event | False alarms per 1000 "
        "| Undisturbed: found | False alarms per 1000 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, pair in pairs.items():
        one, other = pair.disturbed, pair.undisturbed
        cells = ["–"] * 6
        if one.events:
            cells[0] = f"{one.found:.0%}"
        if one.delays:
            cells[1:3] = [f"{one.delay:g}", f"{one.further_per_event:.1f}"]
        cells[3] = f"{one.false_per_1000:.2f}"
        if other is not None:
            cells[4:] = [f"{other.found:.0%}", f"{other.false_per_1000:.2f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def as_report(pairs: Mapping[str, Pair]) -> Report:
    """Return the same numbers by name, and what is found relative to the undisturbed series; null where there is none."""
    return {
        name: _numbers(pair.disturbed)
        | {
            "relative": _known(pair.relative),
            "undisturbed": _numbers(pair.undisturbed) if pair.undisturbed else None,
        }
        for name, pair in pairs.items()
    }


def _numbers(one: Outcome) -> Report:
    return {
        "found": _known(one.found),
        "median_delay": _known(one.delay),
        "further_per_event": _known(one.further_per_event),
        "false_per_1000": one.false_per_1000,
    }


def _known(number: float) -> float | None:
    return None if np.isnan(number) else number
