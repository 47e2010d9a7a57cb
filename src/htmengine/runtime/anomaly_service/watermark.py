"""Which of the scores that came are next: per metric and generation in the order of rowids, and each once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import nan
from typing import Any, Final, NamedTuple

import msgspec

from htmengine.messages import Scores
from htmengine.repository import identity
from htmengine.repository.metrics import MetricState
from htmengine.repository.samples import Rows
from htmengine.repository.scores import WatermarkAdvance

_OPTIONAL: Final[Mapping[str, Any]] = {
    "forecasts": nan,
    "usual_lows": nan,
    "usual_highs": nan,
    "one_in": nan,
    "predictions": None,
    "why": None,
    "silenced": 0,
}
"""Columns that a message has only if one of its samples needs them, and what stands in them for the others."""


class Progress(NamedTuple):
    """How far a metric's rows and their scores one."""

    generation: int
    scored_rowid: int
    """The watermark: the next score must be that of the row after it."""
    last_rowid: int
    model_digest: int = identity.UNKNOWN


class Selection(NamedTuple):
    """Which scores of a batch are stored, and which are dropped."""

    accepted: Sequence[int]
    """Positions of those to be stored; a metric's in the order of their rowids."""
    advances: list[WatermarkAdvance]
    """The watermarks that they move."""
    repeated: int
    """How many are stored already, or came twice."""
    beyond_gap: int
    """How many lie beyond a gap."""
    stale: int
    """How many are of no row that waits for a score: unknown metric, other generation, or a row that the repository
    does not have (it lost it to a power failure, and will give its rowid to another sample)."""


def select(scores: Scores, progress: Mapping[str, Progress]) -> Selection:
    """Choose the scores that may be stored.

    Parameters
    ----------
    scores : in the order in which they came.
    progress : by uid, of the metrics that take scores.
    """
    # Three small look-ups for each sample: reading attributes of a Progress would cost more.
    generations = {uid: one.generation for uid, one in progress.items()}
    last = {uid: one.last_rowid for uid, one in progress.items()}
    expected = {uid: one.scored_rowid + 1 for uid, one in progress.items()}
    accepted: list[int] = []
    repeated = stale = beyond_gap = 0
    for position, (uid, generation, rowid) in enumerate(
        zip(scores.uids, scores.generations, scores.rowids, strict=True)
    ):
        if generations.get(uid) != generation or rowid > last[uid]:
            stale += 1
        elif (awaited := expected[uid]) == rowid:
            expected[uid] = rowid + 1
            accepted.append(position)
        elif rowid < awaited:
            repeated += 1
        else:
            beyond_gap += 1
    advances = [
        WatermarkAdvance(uid, one.generation, one.scored_rowid, expected[uid] - 1)
        for uid, one in progress.items()
        if expected[uid] - 1 > one.scored_rowid
    ]
    return Selection(accepted, advances, repeated, beyond_gap, stale)


def spans(
    scores: Scores, progress: Mapping[str, Progress], *, above: bool = False
) -> dict[str, tuple[int, int]]:
    """Return, by uid, the first and last rowid among scores that lie at or below their metric's watermark, or above."""
    found: dict[str, tuple[int, int]] = {}
    for uid, generation, rowid in zip(scores.uids, scores.generations, scores.rowids, strict=True):
        one = progress.get(uid)
        if one is None or one.generation != generation or (rowid > one.scored_rowid) != above:
            continue
        first, last = found.get(uid, (rowid, rowid))
        found[uid] = min(first, rowid), max(last, rowid)
    return found


def row_digests(scores: Scores, of: Mapping[str, Progress] | Mapping[str, MetricState]) -> list[int]:
    """Return the digests that the rows of these scores must have; each metric is known."""
    models = {uid: one.model_digest for uid, one in of.items()}
    return [digest and digest ^ models[uid] for uid, digest in zip(scores.uids, scores.digests, strict=True)]


def of_rows(scores: Scores, progress: Mapping[str, Progress], stored: Mapping[str, Rows]) -> Scores:
    """Return the scores without those of other samples than the rows have that are stored.

    A score without digest, from an earlier version, is compared by time and value, and gets its row's digest.
    """
    rows = {(uid, row[0]): row[1:] for uid, of in stored.items() for row in zip(*of, strict=True)}
    kept: list[int] = []
    digests: list[int] = []
    for position, (uid, rowid, timestamp, value, digest) in enumerate(
        zip(scores.uids, scores.rowids, scores.timestamps, scores.values, scores.digests, strict=True)
    ):
        row = rows.get((uid, rowid))
        if row is not None:
            row_digest = identity.with_model(row[2], progress[uid].model_digest)
            if digest == identity.UNKNOWN and row[:2] == (timestamp, value):
                digest = row_digest
            if digest != row_digest:
                continue
        kept.append(position)
        digests.append(digest)
    return msgspec.structs.replace(pick(scores, kept), digests=digests)


def pick(scores: Scores, positions: Sequence[int]) -> Scores:
    """Return the scores at these positions, which ascend."""
    if len(positions) == len(scores):
        return scores  # the usual case: everything is next
    columns: dict[str, Any] = {
        name: column and [column[position] for position in positions]
        for name in scores.__struct_fields__
        for column in (getattr(scores, name),)
    }
    return Scores(**columns)


def joined(parts: Iterable[Scores]) -> Scores:
    """Return the scores of several messages as those of one."""
    found = list(parts)
    if len(found) == 1:
        return found[0]
    columns: dict[str, Any] = {
        name: [item for part in found for item in getattr(part, name)]
        for name in Scores.__struct_fields__
        if name not in _OPTIONAL
    }
    for name, missing in _OPTIONAL.items():
        if any(getattr(part, name) for part in found):
            columns[name] = [
                item for part in found for item in (getattr(part, name) or [missing] * len(part))
            ]
    return Scores(**columns)
