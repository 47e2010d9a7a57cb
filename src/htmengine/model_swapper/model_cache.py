"""The models in memory, within a budget of bytes; the least recently used leave first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from htmengine.htm.model import Model
from htmengine.htm.pool import Pool
from htmengine.model_swapper.teaching import NOTHING, Forgotten, digest_of
from htmengine.repository import identity

OWN_BYTES: Final = 4 << 10
"""What Python keeps of a model."""
BYTES_PER_BLOCK_BYTE: Final = 3
"""What a model that does not know how much memory it takes does so beside its block's bytes, on the safe side: arrays
that have room to grow, and what is derived from them."""


def memory_of(model: Model) -> int:
    """Return how much memory a model takes."""
    known = model.kernel.memory
    return OWN_BYTES + (known or (16 << 10) + BYTES_PER_BLOCK_BYTE * len(model.save()))


@dataclass(slots=True, eq=False)
class CachedModel:
    """A model in memory. Rowids are the metric's; the model itself counts from `base`."""

    uid: str
    generation: int
    shard: int
    base: int
    """The last rowid before the first that this model takes."""
    model: Model
    next_rowid: int
    """The rowid that comes next."""
    stored_rowid: int
    """Scores up to this rowid are stored; they are not given out again."""
    checkpointed_rowid: int
    """The rowid of the newest checkpoint. Without one, `base` less a share of the interval between checkpoints that goes
    by the uid: models that began together are not saved together."""
    published_rowid: int
    """The rowid up to which scores were published; beyond it no checkpoint may be written."""
    bytes: int
    digest: int
    """Of the samples that the model has taken."""
    model_digest: int
    """Of what it began with."""
    forgotten: Forgotten = NOTHING
    """What it was taught to forget."""

    @property
    def checkpoint_digest(self) -> int:
        """Of the samples that it has taken, of what it began with, and of what it has forgotten."""
        return identity.with_model(self.digest, self.model_digest ^ digest_of(self.forgotten))

    def may_follow(self, digest: int) -> bool:
        """Whether a sample that follows on a row of this digest follows on what the model has taken."""
        return digest == self.digest or identity.UNKNOWN in (digest, self.digest)

    @property
    def dirty(self) -> bool:
        """Whether a checkpoint would say more than the last one, and may be written."""
        return max(self.checkpointed_rowid, self.base) < self.published_rowid == self.next_rowid - 1


class ModelCache:
    """Models in a pool, by uid, and in the order of their use."""

    def __init__(self, budget: int) -> None:
        self.pool: Pool[str] = Pool()
        self.budget = budget
        self.bytes = 0
        self._used: OrderedDict[str, CachedModel] = OrderedDict()
        self.get = self._used.get

    def __len__(self) -> int:
        """Return the number of models."""
        return len(self._used)

    def __contains__(self, uid: object) -> bool:
        """Tell whether a metric's model is in memory."""
        return uid in self._used

    def __getitem__(self, uid: str) -> CachedModel:
        """Return a metric's model. Raises KeyError when it is not in memory."""
        return self._used[uid]

    def __iter__(self) -> Iterator[CachedModel]:
        """Iterate over the models, the least recently used first."""
        return iter(list(self._used.values()))

    def add(self, cached: CachedModel) -> None:
        """Take a model in, as the most recently used."""
        self.pool.add(cached.uid, cached.model)
        self._used[cached.uid] = cached
        self.bytes += cached.bytes

    def remove(self, uid: str) -> CachedModel | None:
        """Let a model go and return it, if it is here."""
        cached = self._used.pop(uid, None)
        if cached:
            self.pool.remove(uid)
            self.bytes -= cached.bytes
        return cached

    def touch(self, uids: Iterable[str]) -> None:
        """Say that these were used just now."""
        move = self._used.move_to_end
        for uid in uids:
            move(uid)

    def resize(self, cached: CachedModel) -> None:
        """Correct a model's size after it has grown."""
        self.bytes -= cached.bytes
        cached.bytes = memory_of(cached.model)
        self.bytes += cached.bytes

    def least_used(self, keep: Collection[str]) -> list[CachedModel]:
        """Return the least recently used models that must go so that the rest fits; none of those in `keep`."""
        excess = self.bytes - self.budget
        found = []
        for cached in self._used.values():
            if excess <= 0:
                break
            if cached.uid not in keep:
                excess -= cached.bytes
                found.append(cached)
        return found
