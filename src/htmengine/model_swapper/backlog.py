"""Which rows are to be read from the repository: those that models need and that did not come as messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from htmengine.model_swapper.checkpoint import ROWS_WORTH_A_BLOCK
from htmengine.model_swapper.model_cache import CachedModel

MIN_SHARE: Final = ROWS_WORTH_A_BLOCK
"""Rows that are read for a model at a time, at the least. Behind fewer it could be evicted without a checkpoint, and begin
again where it was, each time."""


class Backlog:
    """Up to which rowid rows are to be read, by uid; the metric that waits longest comes first."""

    def __init__(self) -> None:
        self._targets: dict[str, int] = {}

    def __len__(self) -> int:
        """Return the number of metrics."""
        return len(self._targets)

    def __contains__(self, uid: object) -> bool:
        """Tell whether rows of a metric are to be read."""
        return uid in self._targets

    def __iter__(self) -> Iterator[str]:
        """Iterate over the uids."""
        return iter(self._targets)

    def note(self, uid: str, rowid: int) -> None:
        """Note that rows up to this one are to be read."""
        self._targets[uid] = max(rowid, self._targets.get(uid, 0))

    def pop(self, uid: str) -> None:
        """Forget a metric."""
        self._targets.pop(uid, None)

    def first(self, count: int) -> list[str]:
        """Return the metrics that have waited longest."""
        return list(islice(self._targets, count))

    def spans(self, models: Sequence[CachedModel], limit: int) -> list[tuple[CachedModel, int]]:
        """Return the last rowid to be read for each model: shares of about `limit` rows. Models that need none drop out."""
        share = max(MIN_SHARE, limit // max(1, len(models)))
        found = []
        for model in models:
            target = self._targets[model.uid]
            if target < model.next_rowid:
                del self._targets[model.uid]
            elif limit > 0:
                last = min(target, model.next_rowid + share - 1)
                found.append((model, last))
                limit -= last - model.next_rowid + 1
        return found

    def advance(self, model: CachedModel) -> None:
        """Note that rows of a model were read: the rest of them comes after those of all others."""
        target = self._targets.pop(model.uid)
        if model.next_rowid <= target:
            self._targets[model.uid] = target
