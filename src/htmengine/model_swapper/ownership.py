"""Who owns what: the shards that a scheduler serves, and under which epochs it writes their checkpoints.

The bus gives each shard's queue to one consumer, with an epoch that grows with each change of the consumer. Whoever gets a
queue claims its shard in the checkpoint store, which refuses from then on what an earlier owner still writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from htmengine.bus import Delivery
from htmengine.model_swapper.checkpoint_store import CheckpointStore


class ShardOwnership:
    """The shards of a scheduler."""

    def __init__(self, store: CheckpointStore, queues: Sequence[str]) -> None:
        """`queues`: by shard, that of its model input."""
        self._store = store
        self._queues = queues
        self._shards: Mapping[str, int] = {queue: shard for shard, queue in enumerate(queues)}
        self._queue_epochs: dict[str, int] = {}
        """The bus's epoch of each queue."""
        self._store_epochs: dict[int, int] = {}
        """Our epoch of each shard in the checkpoint store."""

    def shard(self, queue: str) -> int:
        """Return the shard of a queue."""
        return self._shards[queue]

    def store_epoch(self, shard: int) -> int:
        """Return the epoch under which to write a shard's checkpoints; 0 for one that was never claimed."""
        return self._store_epochs.get(shard, 0)

    def lost(self, shards: Iterable[int]) -> None:
        """Note that others own these shards by now: they are claimed again should their messages come again."""
        for shard in shards:
            self._queue_epochs.pop(self._queues[shard], None)

    def claim(self, deliveries: Iterable[Delivery]) -> list[int]:
        """Claim the shards whose queue was given to us anew, and return them: what is known of them is out of date.

        May raise DependencyUnavailable; those that are claimed by then are returned by the next call again.
        """
        epochs = {
            delivery.queue: delivery.epoch
            for delivery in deliveries
            if self._queue_epochs.get(delivery.queue) != delivery.epoch
        }
        claimed = {self._shards[queue]: self._store.claim(self._shards[queue]) for queue in epochs}
        self._store_epochs.update(claimed)
        self._queue_epochs.update(epochs)
        return list(claimed)
