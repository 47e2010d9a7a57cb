"""From scored rows to what a person wants to see: incidents, the strongest rows when there are none, and what stands out of few."""

import heapq
import statistics
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from htmengine.htm.arrays import FloatArray
from htmengine.htm.explanation import Explanation, Scores, SeriesScores

MERGE_ROWS = 10  # the likelihood averages ten scores: closer alarms come from shared rows
FEW_ROWS = 500  # with a value: with fewer a model has hardly learned what is usual
_FAR = 5.0  # median distances from the median: of normal values, one in a thousand lies so far
_KEPT_PER_STRONGEST = 3  # a chosen block hides at most its two neighbours


class ScoredRow(NamedTuple):
    """One row with its scores."""

    position: int  # among the usable rows, from 0
    line: int  # in the file, from 1
    timestamp: float  # seconds since the epoch, UTC
    value: float
    scores: Scores
    why: Explanation | None = None  # None where the model was not asked or cannot tell


class Incident(NamedTuple):
    """Neighbouring rows at or above the threshold."""

    start: ScoredRow
    end: ScoredRow  # the last such row
    peak: ScoredRow  # the strongest, the first of equals
    rows: int  # how many reach the threshold

    @property
    def duration_s(self) -> float:
        """Seconds from the first to the last row."""
        return self.end.timestamp - self.start.timestamp


class IncidentFinder:
    """Collects incidents while the rows stream by; keeps no other rows than it must.

    Rows whose log score is at or above the threshold belong to one incident when at most MERGE_ROWS rows lie from one to the next.
    """

    def __init__(self, threshold: float, top: int) -> None:
        """`threshold` is a log score; `top` is how many rows `strongest` and `farthest` can give."""
        self.anomalies: list[ScoredRow] = []  # every row at or above the threshold
        self._threshold = threshold
        self._top = top
        self._blocks: list[
            tuple[float, int, ScoredRow]
        ] = []  # heap: the strongest rows of blocks of MERGE_ROWS
        self._few: list[ScoredRow] = []  # all rows with a value, while they are few
        self._scored = 0
        self._seen = 0

    @property
    def has_few(self) -> bool:
        """Whether there are fewer rows with a value than FEW_ROWS."""
        return self._scored < FEW_ROWS

    def add(
        self,
        lines: np.ndarray,
        timestamps: FloatArray,
        values: FloatArray,
        scores: SeriesScores,
        why: Mapping[int, Explanation],
    ) -> None:
        """Take the next rows: arrays of shape (n,), NaN scores where a value is missing; explanations by place."""

        def row(i: int) -> ScoredRow:
            return ScoredRow(
                self._seen + i,
                int(lines[i]),
                float(timestamps[i]),
                float(values[i]),
                Scores(*(float(column[i]) for column in scores)),
                why.get(i),
            )

        log = scores.log_score
        scored = np.flatnonzero(~np.isnan(log))
        self._scored += len(scored)
        self._few = [*self._few, *(row(int(i)) for i in scored)] if self.has_few else []
        self.anomalies += [row(int(i)) for i in np.flatnonzero(log >= self._threshold)]
        ranked = np.where(np.isnan(log), -np.inf, log)
        for first in range(0, len(ranked), MERGE_ROWS):
            i = first + int(np.argmax(ranked[first : first + MERGE_ROWS]))
            entry = (float(ranked[i]), -(self._seen + i))
            if ranked[i] == -np.inf:
                continue
            if len(self._blocks) < _KEPT_PER_STRONGEST * self._top:
                heapq.heappush(self._blocks, (*entry, row(i)))
            elif entry > self._blocks[0][:2]:
                heapq.heapreplace(self._blocks, (*entry, row(i)))
        self._seen += len(lines)

    def incidents(self) -> list[Incident]:
        """Return the incidents, the strongest first, the earlier of equals first."""
        return sorted(
            self._grouped(), key=lambda incident: (-incident.peak.scores.log_score, incident.start.position)
        )

    def strongest(self) -> list[ScoredRow]:
        """Return the strongest rows, whatever the threshold, none close to another, the strongest first."""
        chosen: list[ScoredRow] = []
        for _, _, row in sorted(self._blocks, reverse=True):
            if len(chosen) == self._top:
                break
            if all(abs(row.position - other.position) > MERGE_ROWS for other in chosen):
                chosen.append(row)
        return chosen

    def farthest(self) -> list[ScoredRow]:
        """Return of few rows those that lie far from the median and are no anomalies, the farthest first; of many, none."""
        if not self._few:
            return []
        median = statistics.median(row.value for row in self._few)

        def distance(row: ScoredRow) -> float:
            return abs(row.value - median)

        least = _FAR * statistics.median(map(distance, self._few))
        anomalous = {row.position for row in self.anomalies}
        far = (row for row in self._few if distance(row) > least and row.position not in anomalous)
        return heapq.nlargest(self._top, far, key=distance)

    def _grouped(self) -> Iterator[Incident]:
        group: list[ScoredRow] = []
        for row in self.anomalies:
            if group and row.position - group[-1].position > MERGE_ROWS:
                yield _incident(group)
                group = []
            group.append(row)
        if group:
            yield _incident(group)


def _incident(rows: list[ScoredRow]) -> Incident:
    return Incident(rows[0], rows[-1], max(rows, key=lambda row: row.scores.log_score), len(rows))
