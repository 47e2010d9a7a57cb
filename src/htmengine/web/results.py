"""Results as the stream keeps them: of each row what readers see, in columns, some fifty bytes a row.

Five minutes of a busy engine are half a million rows. As messages, compressed, they take five times as much, since most of
a row are digits of scores; as objects twelve times.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple
from weakref import WeakValueDictionary

from htmengine.messages import BatchRow
from htmengine.runtime.metric_storer import name_patterns
from htmengine.web.fleet import cause_and_direction

COLUMNS: Final = ("uid", "rowid", "time", "value", "log_score", "cause", "direction", "one_in")
_NOBODY_KNOWS: Final = float("nan")
_CALM: Final = (None, None)


class Wanted(NamedTuple):
    """Which results a reader wants to see."""

    match: str = ""
    """Pattern of names."""
    min_score: float = 0.0
    uid: str | None = None


class Metric:
    """A metric that rows are of."""

    __slots__ = ("__weakref__", "name", "uid")

    def __init__(self, uid: str, name: str) -> None:
        self.uid = uid
        self.name = name


class Metrics:
    """One object for each metric, for as long as rows of it are kept."""

    def __init__(self) -> None:
        self._by_uid: WeakValueDictionary[str, Metric] = WeakValueDictionary()

    def of(self, row: BatchRow) -> Metric:
        """Return the metric that a row is of."""
        metric = self._by_uid.get(row.uid)
        if metric is None:
            metric = self._by_uid[row.uid] = Metric(row.uid, row.name)
        return metric


class Results:
    """Rows that were published together.

    Parameters
    ----------
    metrics : shared by all rows that are kept.
    """

    def __init__(self, rows: Sequence[BatchRow], metrics: Metrics) -> None:
        self._metrics = [metrics.of(row) for row in rows]
        self._rowids = array("q", [row.rowid for row in rows])
        self._times = array("d", [row.ts for row in rows])
        self._values = array("d", [row.value for row in rows])
        self._scores = array("d", [row.log_score for row in rows])
        self._odds = array("d", [_NOBODY_KNOWS if row.one_in is None else row.one_in for row in rows])
        found = ((position, cause_and_direction(row)) for position, row in enumerate(rows))
        self._causes = {position: cause for position, cause in found if cause != _CALM}

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rowids)

    def shown(self, wanted: Wanted) -> list[list[Any]]:
        """Return the rows that a reader wants, as arrays in the order of COLUMNS."""
        fits = _fits(wanted.match) if wanted.match else None
        shown = []
        for position, (metric, rowid, time, value, score, odds) in enumerate(
            zip(
                self._metrics,
                self._rowids,
                self._times,
                self._values,
                self._scores,
                self._odds,
                strict=True,
            )
        ):
            if score < wanted.min_score or wanted.uid not in (None, metric.uid):
                continue
            if fits is None or fits(metric.name):
                cause, direction = self._causes.get(position, _CALM)
                one_in = odds if odds == odds else None
                shown.append([metric.uid, rowid, time, value, score, cause, direction, one_in])
        return shown


@lru_cache(maxsize=256)
def _fits(pattern: str) -> name_patterns.Fits:
    return name_patterns.glob(pattern)
