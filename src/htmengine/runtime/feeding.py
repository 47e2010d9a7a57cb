"""Model input: rows on their way to the models, gathered by shard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from htmengine.bus import Outgoing
from htmengine.messages import Samples, encode_model_input, shard_of
from htmengine.repository.status import MetricStatus

SAMPLES_PER_MESSAGE: Final = 500

FED: Final = frozenset({int(MetricStatus.ACTIVE), int(MetricStatus.CREATE_PENDING)})
"""Statuses of metrics whose rows go to a model."""


class Feed:
    """Gathers rows for the models: one message for each shard, and more where there are many rows."""

    def __init__(self, shards: int, queue: Callable[[int], str]) -> None:
        """`queue` names a shard's queue."""
        self._shards = shards
        self._queue = queue
        self._columns: dict[int, Samples] = {}

    def add(self, uid: str, generation: int, rowid: int, timestamp: int, value: float) -> None:
        """Add a row; a metric's rows come in the order of their rowids."""
        self._of(shard_of(uid, self._shards), uid, generation, rowid, timestamp, value)

    def add_rows(
        self,
        uids: Sequence[str],
        rowids: Sequence[int],
        timestamps: Sequence[int],
        values: Sequence[float],
        generations: Mapping[str, int],
    ) -> None:
        """Add rows, but for those of metrics that have no generation here."""
        targets = {uid: (shard_of(uid, self._shards), generation) for uid, generation in generations.items()}
        for uid, rowid, timestamp, value in zip(uids, rowids, timestamps, values, strict=True):
            target = targets.get(uid)
            if target is not None:
                self._of(target[0], uid, target[1], rowid, timestamp, value)

    def _of(self, shard: int, uid: str, generation: int, rowid: int, timestamp: int, value: float) -> None:
        columns = self._columns.get(shard)
        if columns is None:
            columns = Samples(uids=[], generations=[], rowids=[], timestamps=[], values=[])
            self._columns[shard] = columns
        columns.uids.append(uid)
        columns.generations.append(generation)
        columns.rowids.append(rowid)
        columns.timestamps.append(timestamp)
        columns.values.append(value)

    def messages(self) -> list[Outgoing]:
        """Return what was gathered as messages of a bounded size."""
        found = []
        for shard, columns in sorted(self._columns.items()):
            for first in range(0, len(columns), SAMPLES_PER_MESSAGE):
                some = slice(first, first + SAMPLES_PER_MESSAGE)
                part = Samples(
                    uids=columns.uids[some],
                    generations=columns.generations[some],
                    rowids=columns.rowids[some],
                    timestamps=columns.timestamps[some],
                    values=columns.values[some],
                )
                found.append(Outgoing(self._queue(shard), encode_model_input(part)))
        return found
