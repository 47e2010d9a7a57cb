"""The hours that are not over, summed up in memory as scores come: an hour that is over is written without reading it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from htmengine.messages import Scores
from htmengine.repository.hours import HOUR_S, MAX_VALUE, Hour, Sums
from htmengine.repository.metrics import MetricState
from htmengine.repository.schema import ALARM_LOG_SCORE

MAX_METRICS: Final = 100_000
"""Whose hours are kept in memory. Those of others are summed up from their rows, as after a start."""

_PART: Final = np.dtype(
    [
        ("metric", np.int64),
        ("generation", np.int64),
        ("hour", np.int64),
        ("first", np.int64),
        ("last", np.int64),
        ("samples", np.int64),
        ("least", np.float64),
        ("total", np.float64),
        ("greatest", np.float64),
        ("score", np.float64),
        ("alarms", np.int64),
        ("is_whole", np.bool_),  # no row of the hour came before
    ]
)
"""Rows of one hour of a metric that follow each other, summed up."""

_Parts = npt.NDArray[np.void]


class OpenHours:
    """What was seen of each metric's hour. Nothing depends on it: what it does not know is read from the rows."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._uids: list[str] = []
        self._open: _Parts = np.zeros(0, _PART)
        """By the metric's place."""
        self.missed: set[str] = set()
        """Metrics of which an hour ended that must be summed up from its rows."""

    def forget(self, uids: Iterable[str]) -> None:
        """Forget what was seen of these metrics: whether it was stored is not known."""
        for uid in uids:
            if (place := self._places.get(uid)) is not None:
                self._open[place] = np.zeros((), _PART)

    def take(self, scores: Scores, states: Mapping[str, MetricState]) -> list[Sums]:
        """Take scores that are about to be stored, and return the hours that end with them, to be stored with them.

        Parameters
        ----------
        scores : a metric's in the order of their rowids, which follow on its watermark.
        states : of these metrics, before their scores are stored.
        """
        with np.errstate(over="ignore"):  # such an hour is summed up from its rows
            return self._taken(_parts(self._placed(scores.uids), scores), states)

    def _taken(self, parts: _Parts, states: Mapping[str, MetricState]) -> list[Sums]:
        if not len(parts):
            return []
        before = self._open[parts["metric"]]
        # Of a metric's parts the first may go on where what is open ended, and the last stays open.
        is_last = np.append(parts["metric"][1:] != parts["metric"][:-1], True)
        is_first = np.insert(is_last[:-1], 0, True)
        follows = is_first & (before["last"] + 1 == parts["first"])
        follows &= (before["generation"] == parts["generation"]) & (before["samples"] > 0)
        goes_on = follows & (before["hour"] == parts["hour"])
        parts["is_whole"] = ~is_first | follows | (parts["first"] == 1)
        parts[goes_on] = _joined(before[goes_on], parts[goes_on])
        self._open[parts["metric"][is_last]] = parts[is_last]
        over = np.concatenate([before[follows & ~goes_on], parts[~is_last]])
        return self._sums(over[np.lexsort((over["first"], over["metric"]))], states) if len(over) else []

    def _placed(self, uids: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the place of each metric; -1 where there is no room for it."""
        places = self._places
        if len(places) < MAX_METRICS:
            for uid in dict.fromkeys(uids):
                if uid not in places and len(places) < MAX_METRICS:
                    places[uid] = len(places)
                    self._uids.append(uid)
            if len(places) > len(self._open):
                more = np.zeros(max(1024, len(places)), _PART)
                self._open = np.concatenate([self._open, more])
        return np.array([places.get(uid, -1) for uid in uids], dtype=np.int64)

    def _sums(self, over: _Parts, states: Mapping[str, MetricState]) -> list[Sums]:
        """Return of each metric the first of these hours that follow on what is summed up already."""
        hours: dict[str, list[Hour]] = {}
        for part in over:
            uid = self._uids[part["metric"]]
            found = hours.setdefault(uid, [])
            summed_up = found[-1].last_rowid if found else states[uid].hourly_rowid
            if summed_up + 1 == part["first"] and (hour := _hour(part)):
                found.append(hour)
            else:
                self.missed.add(uid)
        return [
            Sums(
                uid, states[uid].generation, states[uid].hourly_rowid, of[-1].last_rowid, of, is_stored=False
            )
            for uid, of in hours.items()
            if of
        ]


def _parts(places: npt.NDArray[np.int64], scores: Scores) -> _Parts:
    """Return the parts that scores make, by metric and row; the rows of metrics without a place are left out."""
    order = np.argsort(places, kind="stable")
    order = order[np.searchsorted(places[order], 0) :]
    if not len(order):
        return np.zeros(0, _PART)
    metric = places[order]
    hour = np.array(scores.timestamps)[order] // HOUR_S
    rowid, value, score = (
        np.array(column)[order] for column in (scores.rowids, scores.values, scores.log_scores)
    )
    begins = np.flatnonzero((metric[1:] != metric[:-1]) | (hour[1:] != hour[:-1])) + 1
    begins = np.insert(begins, 0, 0)
    ends = np.append(begins[1:], len(order)) - 1
    parts = np.zeros(len(begins), _PART)
    parts["metric"] = metric[begins]
    parts["generation"] = np.array(scores.generations)[order][begins]
    parts["hour"] = hour[begins]
    parts["first"], parts["last"] = rowid[begins], rowid[ends]
    parts["samples"] = ends - begins + 1
    parts["least"] = np.minimum.reduceat(value, begins)
    parts["total"] = np.add.reduceat(value, begins)
    parts["greatest"] = np.maximum.reduceat(value, begins)
    parts["score"] = np.maximum.reduceat(score, begins)
    parts["alarms"] = np.add.reduceat((score >= ALARM_LOG_SCORE).astype(np.int64), begins)
    return parts


def _joined(before: _Parts, after: _Parts) -> _Parts:
    """Return each part with the one that follows it in its hour."""
    parts = before.copy()
    parts["last"] = after["last"]
    for name in ("samples", "total", "alarms"):
        parts[name] += after[name]
    parts["least"] = np.minimum(before["least"], after["least"])
    for name in ("greatest", "score"):
        parts[name] = np.maximum(before[name], after[name])
    return parts


def _hour(part: np.void) -> Hour | None:
    """Return a part that is a whole hour; None if it is not, or has values that do not count as they are."""
    _, _, hour, _, last, samples, least, total, greatest, score, alarms, is_whole = part.item()
    if not is_whole or least < -MAX_VALUE or greatest > MAX_VALUE:
        return None
    return Hour(hour * HOUR_S, last, samples, least, total / samples, greatest, score, alarms)
