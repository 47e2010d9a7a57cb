"""What the rules make of samples before they are numbered: other names, other kinds, none at all.

Histories that are sent name the metric that they are of; rules leave them as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from htmengine.doors.reasons import Reason
from htmengine.doors.samples import Kind, Refusals, Samples
from htmengine.runtime.metric_storer.monitor_rules import Gathering, Rules, ValueKind
from htmengine.runtime.metric_storer.numbering import NewSamples

MAX_KNOWN: Final = 1_000_000
"""Names that are kept in memory with what the rules say of them."""
MAX_SOURCES: Final = 3
"""Names that are kept of those that became one."""


class _Known(NamedTuple):
    """What the rules say of a name."""

    name: str
    refusal: Reason | None
    kind: ValueKind | None
    gathering: Gathering | None


class Intake:
    """Applies rules to samples. What it remembers only saves time."""

    def __init__(self) -> None:
        self._rules = Rules()
        self._changes = self._gathers = False
        """Whether any rule changes samples, or lets them wait."""
        self._known: dict[str, _Known] = {}
        self._gatherings: dict[str, Gathering | None] = {}
        """How samples of metrics wait, by the names that these have."""
        self._sources: dict[str, list[str]] = {}
        """Of names that rules gave, the names as sent."""

    def use(self, rules: Rules) -> None:
        """Apply these rules from now on."""
        if rules is not self._rules:
            self._rules = rules
            self._changes, self._gathers = rules.of_samples, rules.gather
            self._known.clear()
            self._gatherings.clear()
            self._sources.clear()

    @property
    def gathers(self) -> bool:
        """Whether samples of any metric wait before they become rows."""
        return self._gathers

    def taken(self, given: Samples, refusals: Refusals) -> Samples:
        """Return the samples that are stored, with their kinds, still under the names as sent; the others are refused."""
        if not self._changes:
            return given
        kept = Samples.empty()
        for name, timestamp, value, kind, start, count in zip(*given, strict=True):
            known = self._known.get(name) or self._find(name)
            if known.refusal:
                refusals.add(known.refusal, f"{name} {value!r} {int(timestamp // 1)}")
            elif known.kind == "counter" and kind is Kind.GAUGE:
                kept.add(name, timestamp, value, Kind.COUNTER)
            elif known.kind != "gauge" or kind is Kind.GAUGE:
                kept.add(name, timestamp, value, kind, start, count)
            elif kind is not Kind.ENDED:
                kept.add(name, timestamp, value)
        return kept

    def named(self, samples: NewSamples) -> NewSamples:
        """Return samples under the names that they are stored under."""
        if not self._changes:
            return samples
        return samples._replace(names=[self.name(name) for name in samples.names])

    def name(self, sent: str) -> str:
        """Return the name that samples are stored under that are sent under this one."""
        return (self._known.get(sent) or self._find(sent)).name

    def gathering(self, sent: str) -> Gathering | None:
        """Return how samples that are sent under a name wait before they become rows; None where they do not."""
        return (self._known.get(sent) or self._find(sent)).gathering if self._gathers else None

    def gathering_of(self, name: str) -> Gathering | None:
        """Return the same by the name that a metric has."""
        if not self._gathers:
            return None
        try:
            return self._gatherings[name]
        except KeyError:
            if len(self._gatherings) >= MAX_KNOWN:
                self._gatherings.clear()
            found = self._gatherings[name] = self._rules.way_of_stored(name).gathering
            return found

    def sources(self, name: str) -> Sequence[str]:
        """Return some of the names as sent that rules made this name of."""
        return self._sources.get(name, ())

    def shown(self, example: str) -> str:
        """Return a refused sample, which begins with its name, with the names of those that became one in it."""
        sources = self.sources(example.partition(" ")[0])
        return f"{example} (sent as {', '.join(sources)})" if sources else example

    def _find(self, sent: str) -> _Known:
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
            self._sources.clear()
        way = self._rules.way(sent)
        known = self._known[sent] = _Known(way.name, way.refusal, way.kind, way.gathering)
        if way.name != sent and not way.refusal:
            sources = self._sources.setdefault(way.name, [])
            if len(sources) < MAX_SOURCES:
                sources.append(sent)
        return known
