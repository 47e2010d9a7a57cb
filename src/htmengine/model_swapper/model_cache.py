"""The models in memory, within a budget of bytes; the least recently used leave first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from htmengine.htm.model import Model
from htmengine.htm.pool import Pool
from htmengine.repository import identity

OWN_BYTES: Final = 16 << 10
BYTES_PER_BLOCK_BYTE: Final = 3
"""What a model takes in memory beside its block's bytes: arrays that have room to grow, and what is derived from them.
An estimate on the safe side for the default set: resident memory of 19 to 54 KB for blocks of 9 to 18 KB."""


def memory_of(block_bytes: int) -> int:
    """Return an estimate of the memory that a model takes, from the size of its block."""
    return OWN_BYTES + BYTES_PER_BLOCK_BYTE * block_bytes


@dataclass(slots=True, eq=False)
class Resident:
    """A model in memory. Rowids are the metric's; the model itself counts from `base`."""

    uid: str
    generation: int
    shard: int
    base: int
    """The last rowid before the first that this model takes."""
    model: Model
    next: int
    """The rowid that comes next."""
    silent: int
    """Scores up to this rowid are stored; they are not given out again."""
    saved: int
    """The rowid of the newest checkpoint. Without one, `base` less a share of the interval between checkpoints that goes
    by the uid: models that began together are not saved together."""
    settled: int
    """The rowid up to which scores were published; beyond it no checkpoint may be written."""
    bytes: int
    digest: int
    """Of the samples that the model has taken."""
    model_digest: int
    """Of what it began with."""

    def may_follow(self, digest: int) -> bool:
        """Whether a sample that follows on a row of this digest follows on what the model has taken."""
        return digest == self.digest or identity.UNKNOWN in (digest, self.digest)

    @property
    def dirty(self) -> bool:
        """Whether a checkpoint would say more than the last one, and may be written."""
        return max(self.saved, self.base) < self.settled == self.next - 1


class Residents:
    """Models in a pool, by uid, and in the order of their use."""

    def __init__(self, budget: int) -> None:
        self.pool: Pool[str] = Pool()
        self.budget = budget
        self.bytes = 0
        self._used: OrderedDict[str, Resident] = OrderedDict()
        self.get = self._used.get

    def __len__(self) -> int:
        """Return the number of models."""
        return len(self._used)

    def __contains__(self, uid: object) -> bool:
        """Tell whether a metric's model is in memory."""
        return uid in self._used

    def __getitem__(self, uid: str) -> Resident:
        """Return a metric's model. Raises KeyError when it is not in memory."""
        return self._used[uid]

    def __iter__(self) -> Iterator[Resident]:
        """Iterate over the models, the least recently used first."""
        return iter(list(self._used.values()))

    def add(self, resident: Resident) -> None:
        """Take a model in, as the most recently used."""
        self.pool.add(resident.uid, resident.model)
        self._used[resident.uid] = resident
        self.bytes += resident.bytes

    def remove(self, uid: str) -> Resident | None:
        """Let a model go and return it, if it is here."""
        resident = self._used.pop(uid, None)
        if resident:
            self.pool.remove(uid)
            self.bytes -= resident.bytes
        return resident

    def touch(self, uids: Iterable[str]) -> None:
        """Say that these were used just now."""
        move = self._used.move_to_end
        for uid in uids:
            move(uid)

    def resize(self, resident: Resident, block_bytes: int) -> None:
        """Correct a model's size once its block is known."""
        self.bytes -= resident.bytes
        resident.bytes = memory_of(block_bytes)
        self.bytes += resident.bytes

    def least_used(self, keep: Collection[str]) -> list[Resident]:
        """Return the least recently used models that must go so that the rest fits; none of those in `keep`."""
        excess = self.bytes - self.budget
        found = []
        for resident in self._used.values():
            if excess <= 0:
                break
            if resident.uid not in keep:
                excess -= resident.bytes
                found.append(resident)
        return found
