"""The models in memory, within a budget of bytes: some ready for use, the others packed."""

from __future__ import annotations

import os
import random
from collections import OrderedDict
from collections.abc import Collection, Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple
from zlib import crc32

from htmengine.htm.model import Block, Model
from htmengine.htm.packing_pool import PackingPool
from htmengine.htm.params import Parameters
from htmengine.model_swapper.teaching import NOTHING, Forgotten, digest_of
from htmengine.repository import identity
from htmengine.service.capacity import OWN_BYTES, PACKED_BYTES, UNPACKED_BYTES

UNPACKED_SHARE: Final = 0.1
"""Of the budget, for unpacked models, at least: to unpack and pack one takes as long as scoring some twenty rows."""
MIN_UNPACKED: Final = 8
CANDIDATES_USED_ONCE: Final = 12
CANDIDATES_USED_AGAIN: Final = 4
"""So many models are drawn of each kind, and the one that will not be used for longest is evicted."""
GONE_INTERVALS: Final = 3.0
GONE_S: Final = 60.0
"""A model that was used again and then not for so long, whichever is more, is taken for one that is needed no more."""
RECENT_KEPT: Final = 1000
"""So many that are packed may be among those that were used recently, and as many as are unpacked."""
THREADS: Final = min(4, os.cpu_count() or 1)
"""That pack and unpack."""


@dataclass(slots=True, eq=False)
class CachedModel:
    """A model in memory. Rowids are the metric's; the model itself counts from `base`."""

    uid: str
    generation: int
    shard: int
    base: int
    """The last rowid before the first that this model takes."""
    next_rowid: int
    """The rowid that comes next."""
    stored_rowid: int
    """Scores up to this rowid are stored; they are not given out again."""
    checkpointed_rowid: int
    """The rowid of the newest checkpoint. Without one, `base` less a share of the interval between checkpoints that goes
    by the uid: models that began together are not saved together."""
    published_rowid: int
    """The rowid up to which scores were published; beyond it no checkpoint may be written."""
    digest: int
    """Of the samples that the model has taken."""
    model_digest: int
    """Of what it began with."""
    forgotten: Forgotten = NOTHING
    """What it was taught to forget."""
    used: float = 0.0
    """When it was used last, in seconds that only grow."""
    interval: float | None = None
    """From the use before to that one."""
    place: int = -1
    """Where it is among those that may be drawn."""

    @property
    def checkpoint_digest(self) -> int:
        """Of the samples that it has taken, of what it began with, and of what it has forgotten."""
        return identity.with_model(self.digest, self.model_digest ^ digest_of(self.forgotten))

    @property
    def rows(self) -> int:
        """How many rows the model has taken."""
        return self.next_rowid - 1 - self.base

    @property
    def unsaved(self) -> int:
        """How many rows it has taken since its checkpoint, of those whose scores were published."""
        return self.published_rowid - self.checkpointed_rowid

    @property
    def behind(self) -> int:
        """How many of them it would have to take again, if it were loaded now."""
        return min(self.unsaved, self.rows)

    def may_follow(self, digest: int) -> bool:
        """Whether a sample that follows on a row of this digest follows on what the model has taken."""
        return digest == self.digest or identity.UNKNOWN in (digest, self.digest)

    @property
    def dirty(self) -> bool:
        """Whether a checkpoint would say more than the last one, and may be written."""
        return max(self.checkpointed_rowid, self.base) < self.published_rowid == self.next_rowid - 1

    def next_use(self, now: float) -> float:
        """Return when it will be used again, as far as its past tells.

        One that was not used a second time yet comes after those that were, since most of a fleet that does not fit into
        memory comes in turns, and some of it must stay. Of several such the same one always comes last, whenever it came:
        so what stays is spread over the whole turn, and so is what must be loaded.
        """
        if self.interval is None:
            return UNKNOWN_S + crc32(self.uid.encode())
        unused = now - self.used
        if unused > max(GONE_INTERVALS * self.interval, GONE_S):
            return NEVER_S + unused
        return self.used + self.interval if unused <= self.interval else now + unused


UNKNOWN_S: Final = 1e10
"""Later than any time that is expected,"""
NEVER_S: Final = 1e11
"""and later than all that is not known, whatever the checksum."""


class Draw:
    """Models in no order, so that some can be drawn."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._models: list[CachedModel] = []

    def add(self, cached: CachedModel) -> None:
        """Take a model in, which is in no other."""
        cached.place = len(self._models)
        self._models.append(cached)

    def remove(self, cached: CachedModel) -> None:
        """Let a model go that is here."""
        last = self._models.pop()
        if last is not cached:
            self._models[cached.place] = last
            last.place = cached.place

    def some(self, count: int) -> list[CachedModel]:
        """Return so many, of which some may be the same; none where there are none."""
        models, size = self._models, len(self._models)
        return [models[self._chance.randrange(size)] for _ in range(count)] if size else []


class Restored(NamedTuple):
    """A model that comes into memory."""

    cached: CachedModel
    state: Model | Block | Parameters
    """The model, its packed block, or the parameters of one that has taken nothing."""

    def model(self) -> Model:
        """Return the model. Raises UnreadableModel where its block is damaged."""
        if isinstance(self.state, Model):
            return self.state
        if isinstance(self.state, Block):
            return Model.of(self.state)
        return Model(self.state, generation=self.cached.generation)


class ModelCache:
    """Models in a pool, by uid.

    As long as all fit, all are ready for use. Otherwise those that were used least recently are packed; and where all
    of them packed do not fit, those leave that will not be used for longest, as far as one can tell. Whoever comes once
    and not again so evicts nobody.
    """

    def __init__(self, budget: int, *, threads: int = THREADS) -> None:
        self.pool: PackingPool[str] = PackingPool()
        self.budget = budget
        self._threads = threads
        self._models: dict[str, CachedModel] = {}
        chance = random.Random(0)
        self._used_once, self._used_again = Draw(chance), Draw(chance)
        self._recent: OrderedDict[str, None] = OrderedDict()
        """Those that are unpacked, the least recently used first, and some that are not any more."""
        self.passed_bytes = 0
        """Of blocks that came and of models that were packed, so far: memory that was asked for and freed again."""
        self.get = self._models.get

    def __len__(self) -> int:
        """Return the number of models."""
        return len(self._models)

    def __contains__(self, uid: object) -> bool:
        """Tell whether a metric's model is in memory."""
        return uid in self._models

    def __getitem__(self, uid: str) -> CachedModel:
        """Return a metric's model. Raises KeyError when it is not in memory."""
        return self._models[uid]

    def __iter__(self) -> Iterator[CachedModel]:
        """Iterate over the models."""
        return iter(list(self._models.values()))

    @property
    def memory(self) -> int:
        """How much memory they take."""
        return self.pool.memory + OWN_BYTES * len(self._models)

    def add(self, restored: Restored) -> int:
        """Take a model in, and return about how much memory it takes at the least."""
        cached, state = restored
        uid = cached.uid
        if isinstance(state, Block):
            self.pool.add_block(uid, state)
            size = len(state.state)
            self.passed_bytes += size
        else:
            before = self.pool.memory
            if isinstance(state, Model):
                self.pool.add(uid, state)
            else:
                self.pool.add_new(uid, state)
            self._recent[uid] = None
            size = self.pool.memory - before
        self._models[uid] = cached
        self._draw_of(cached).add(cached)
        return size + OWN_BYTES

    def remove(self, uid: str) -> CachedModel | None:
        """Let a model go and return it, if it is here."""
        cached = self._models.pop(uid, None)
        if cached:
            self.pool.discard(uid)
            self._recent.pop(uid, None)
            self._draw_of(cached).remove(cached)
        return cached

    def _draw_of(self, cached: CachedModel) -> Draw:
        return self._used_once if cached.interval is None else self._used_again

    def touch(self, uids: Iterable[str], now: float) -> None:
        """Say that these are used now."""
        move, recent = self._recent.move_to_end, self._recent
        for uid in uids:
            cached = self._models[uid]
            if cached.used:
                if cached.interval is None:
                    self._used_once.remove(cached)
                    self._used_again.add(cached)
                cached.interval = now - cached.used
            cached.used = now
            recent[uid] = None
            move(uid)

    def make_ready(
        self, working: Collection[str], now: float, *, coming: int = 0, ready: Iterable[str] = ()
    ) -> None:
        """Pack models, none of which works now, so that the rest fits into the budget.

        So many more are `coming`, packed: there is room for them, as long as not all that are here need be packed for it.

        Those that shall be `ready` are unpacked next, and others are packed for them, as far as it is worth it: to unpack
        and pack takes as long as scoring some twenty rows. So a packed model takes the place of another only where that
        one was not used for twice as long as this one takes from use to use.
        """
        pool, count = self.pool, len(self._models)
        unpacked = pool.unpacked
        if len(self._recent) > 2 * unpacked + RECENT_KEPT:
            self._recent = OrderedDict(
                (uid, None) for uid in self._recent if pool.packs(uid) and not pool.is_packed(uid)
            )
        size = pool.unpacked_bytes / unpacked if unpacked else UNPACKED_BYTES
        packed = count - unpacked
        packed_size = pool.packed_bytes / packed if pool.packed_bytes else PACKED_BYTES
        free = self.budget - (OWN_BYTES + packed_size) * (count + coming)
        most = max(UNPACKED_SHARE * self.budget / size, free / max(size - packed_size, 1), MIN_UNPACKED)
        if most >= count:
            pool.keep_unpacked(None)
            return
        pool.keep_unpacked(int(most))
        # Only those that were used before: for one that has just come, nothing else is packed.
        intervals = sorted(
            interval
            for uid in ready
            if (interval := self._models[uid].interval) is not None and pool.is_packed(uid)
        )
        excess = unpacked - int(most)
        if excess + len(intervals) <= 0:
            return
        packing: list[str] = []
        passed: list[str] = []
        while self._recent and len(packing) < excess + len(intervals):
            uid = next(iter(self._recent))
            if uid in working:
                passed.append(uid)
            elif pool.packs(uid) and not pool.is_packed(uid):
                taker = len(packing) - excess
                if taker >= 0 and now - self._models[uid].used <= 2 * intervals[taker]:
                    break
                packing.append(uid)
            del self._recent[uid]
        for uid in reversed(passed):
            self._recent[uid] = None
            self._recent.move_to_end(uid, last=False)
        pool.pack(packing, threads=self._threads)
        self.passed_bytes += int(size * len(packing))

    def blocks(self, models: Collection[CachedModel]) -> list[bytes]:
        """Return the blocks of models."""
        return self.pool.blocks(
            [cached.uid for cached in models],
            [cached.generation for cached in models],
            threads=self._threads,
        )

    def excess(
        self, keep: Collection[str], waiting: Container[str], now: float, most: int
    ) -> list[CachedModel]:
        """Return models that must go so that the rest fits, a bounded number at a time.

        None of those in `keep`, and of those in `waiting`, which will be used soon, only where nearly all of them wait.
        """
        excess = self.memory - self.budget
        if excess <= 0 or not self._models:
            return []
        size = max(1.0, self.memory / len(self._models))
        count = min(most, int(excess / size) + 1)
        found: dict[str, CachedModel] = {}
        tries = 0
        while len(found) < count and tries < 2 * count:
            tries += 1
            drawn = self._used_once.some(CANDIDATES_USED_ONCE) + self._used_again.some(CANDIDATES_USED_AGAIN)
            able = [cached for cached in drawn if cached.uid not in keep and cached.uid not in found]
            if able:
                last = max(able, key=lambda cached: 0.0 if cached.uid in waiting else cached.next_use(now))
                found[last.uid] = last
        if not found:
            for cached in self._models.values():
                if cached.uid not in keep:
                    found[cached.uid] = cached
                    if len(found) >= count:
                        break
        return list(found.values())
