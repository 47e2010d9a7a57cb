"""Expressions become series: what is read is read for all targets together, then functions work on arrays."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

import numpy as np

from htmengine.graphite import globs, tags
from htmengine.graphite.functions import FUNCTIONS
from htmengine.graphite.globs import PatternError, Tree
from htmengine.graphite.registry import bound
from htmengine.graphite.series import Grid, Series
from htmengine.graphite.target import Argument, Call, Literal, Path, TargetError

VALUE: Final = "value"
CONSOLIDATIONS: Final = {VALUE: "average", "forecast": "average", "usual_low": "min", "usual_high": "max"}
"""How slots of a column become one; those that are not here by the highest: an averaged score hides the alarm."""
BRANCHES: Final = {
    "score": "anomaly_score",
    "log": "log_score",
    "low": "usual_low",
    "high": "usual_high",
}
"""Virtual branches below a root of their own: by name, the column that stands there for each metric."""
MAX_SERIES: Final = 20_000
MAX_POINTS: Final = 6_000_000
TIMEOUT_S: Final = 30.0


class RenderTimeout(Exception):
    """The evaluation takes longer than it may."""


class Wanted(NamedTuple):
    """A column of a metric."""

    metric: int
    column: str


class Place(NamedTuple):
    """A metric that a path means."""

    metric: int
    column: str
    name: str
    """Of the series: that of the metric, or of its place in a virtual branch."""


class Source(Protocol):
    """What series are read from."""

    @property
    def names(self) -> Sequence[str]:
        """Of all metrics; the number of a metric is its place."""

    @property
    def tree(self) -> Tree:
        """Of these names."""

    @property
    def branch(self) -> str:
        """Root of the virtual branches."""

    def fetch(
        self, wanted: Sequence[Wanted], start: int, end: int, check: Callable[[], None], max_points: int
    ) -> list[Grid]:
        """Return columns of metrics, of the slots behind `start` up to `end`, in the order in which they are wanted.

        `check` is called between parts of the work. Raises TargetError where there are more points than `max_points`.
        """


@dataclass
class Limits:
    """What one request may cost."""

    series: int = MAX_SERIES
    points: int = MAX_POINTS
    timeout_s: float = TIMEOUT_S


@dataclass
class Reader:
    """Reads what was asked for together in one go."""

    source: Source
    limits: Limits = field(default_factory=Limits)
    timer: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        """Begin to count the time."""
        self._deadline = self.timer() + self.limits.timeout_s
        self._waiting: dict[tuple[int, int], dict[Wanted, None]] = {}
        self._read: dict[tuple[int, int], dict[Wanted, Grid]] = {}
        self._found: dict[tuple[str, str], list[Place]] = {}
        self._series = 0
        self._points = 0

    def check(self) -> None:
        """Raise RenderTimeout where too much time has passed."""
        if self.timer() > self._deadline:
            raise RenderTimeout(
                f"the targets take longer than {self.limits.timeout_s:g} seconds: ask for fewer metrics, or a shorter time"
            )

    def places(self, pattern: str, column: str) -> list[Place]:
        """Return the metrics that a path means. Raises PatternError."""
        found = self._found.get((pattern, column))
        if found is None:
            found = self._found[pattern, column] = list(_places(self.source, pattern, column))
        return found

    def note(self, wanted: Wanted, start: int, end: int) -> None:
        """Read this together with whatever of the same time is read first."""
        window = (start, end)
        if wanted not in self._read.setdefault(window, {}):
            self._waiting.setdefault(window, {})[wanted] = None

    def series(self, name: str, wanted: Wanted, start: int, end: int) -> Series:
        """Return a series that is read, with all others of this time, when its values are first asked for."""
        self._series += 1
        if self._series > self.limits.series:
            raise TargetError(
                f"the targets have more than {self.limits.series:,} series: ask for fewer metrics"
            )
        self.note(wanted, start, end)
        window = (start, end)
        return Series(
            name,
            load=lambda: self._grid(wanted, window),
            consolidation=CONSOLIDATIONS.get(wanted.column, "max"),
            metric=wanted.metric,
        )

    def _grid(self, wanted: Wanted, window: tuple[int, int]) -> Grid:
        read = self._read[window]
        if wanted not in read:
            waiting = [one for one in self._waiting.pop(window, {}) if one not in read]
            if wanted not in waiting:
                waiting.append(wanted)
            left = self.limits.points - self._points
            grids = self.source.fetch(waiting, *window, self.check, left)
            self._points += sum(len(grid.values) for grid in grids)
            read.update(zip(waiting, grids, strict=True))
        return read[wanted]


@dataclass(frozen=True)
class Evaluator:
    """Evaluates expressions for a time.

    Parameters
    ----------
    start, end : seconds since the epoch; the slots behind `start` up to `end` are wanted.
    column : of the metrics that paths mean.
    """

    reader: Reader
    start: int
    end: int
    column: str = VALUE

    def at(self, start: int, end: int) -> Evaluator:
        """Return the same for another time."""
        return Evaluator(self.reader, start, end, self.column)

    def of_column(self, column: str) -> Evaluator:
        """Return the same for another column of metrics."""
        return Evaluator(self.reader, self.start, self.end, column)

    def prepare(self, expressions: Iterable[Argument]) -> None:
        """Note what these expressions will read, so that it is read together."""
        for expression in expressions:
            if isinstance(expression, Path):
                for place in self._places(expression):
                    self.reader.note(Wanted(place.metric, place.column), self.start, self.end)
            elif isinstance(expression, Call):
                function = FUNCTIONS.get(expression.name, expression.at)
                if function.deferred:
                    continue
                inner = self.of_column(function.column) if function.column else self
                inner.prepare((*expression.args, *expression.named.values()))

    def evaluate(self, expression: Argument) -> list[Series]:
        """Return the series of an expression. Raises TargetError or RenderTimeout."""
        self.reader.check()
        if isinstance(expression, Literal):
            raise TargetError(f"{expression.value!r} is neither a path nor a function", expression.at)
        if isinstance(expression, Path):
            return self._of_path(expression)
        function = FUNCTIONS.get(expression.name, expression.at)
        try:
            inner = self.of_column(function.column) if function.column else self
            return function.work(inner, *bound(function, expression, inner))
        except TargetError as error:
            if error.at is None:
                raise TargetError(f"{expression.name}: {error.message}", expression.at) from None
            raise

    def metric(self, number: int, column: str | None = None, name: str | None = None) -> Series:
        """Return the series of a metric."""
        names = self.reader.source.names
        wanted = Wanted(number, column or self.column)
        return self.reader.series(names[number] if name is None else name, wanted, self.start, self.end)

    def constant(self, name: str, value: float) -> Series:
        """Return a series that has one value from begin to end."""
        step = max(1, math.ceil((self.end - self.start) / 2))
        return Series(name, Grid(self.start, step, np.full(3, float(value))))

    def tagged(self, conditions: Sequence[str]) -> list[Series]:
        """Return the series whose tags fulfil conditions."""
        found = tags.matching(self.reader.source.names, conditions)
        path = f"seriesByTag({','.join(repr(condition) for condition in conditions)})"
        return [_from(path, self.metric(number)) for number in found]

    def _of_path(self, path: Path) -> list[Series]:
        found = [self.metric(place.metric, place.column, place.name) for place in self._places(path)]
        return [_from(path.pattern, one) for one in found]

    def _places(self, path: Path) -> list[Place]:
        try:
            return self.reader.places(path.pattern, self.column)
        except PatternError as error:
            raise TargetError(str(error), path.at) from None


def _from(path: str, series: Series) -> Series:
    series.path = path
    return series


def _places(source: Source, pattern: str, column: str) -> Iterator[Place]:
    root = f"{source.branch}."
    if not pattern.startswith(root):
        for number in _numbers(source, pattern):
            yield Place(number, column, source.names[number])
        return
    branch, _, rest = pattern.removeprefix(root).partition(".")
    if not rest:
        return
    wanted = globs.expand(branch)
    for name, own in BRANCHES.items():
        if any(globs.segment(one)(name) for one in wanted):
            for number in _numbers(source, rest):
                yield Place(number, own, f"{root}{name}.{source.names[number]}")


def _numbers(source: Source, pattern: str) -> list[int]:
    if ";" not in pattern:
        return source.tree.metrics(pattern)
    whole = (one.replace("\\", "") for one in globs.expand(pattern))
    return [source.tree.tagged[name] for name in whole if name in source.tree.tagged]
