"""Which models in memory are ready for use."""

import numpy as np
import pytest

from htmengine.htm import params
from htmengine.htm.model import Block, Model
from htmengine.model_swapper import model_cache
from htmengine.model_swapper.model_cache import MIN_UNPACKED, CachedModel, ModelCache, Restored

COUNT = 30


def cached_model(uid):
    return CachedModel(
        uid=uid,
        generation=0,
        shard=0,
        base=0,
        next_rowid=101,
        stored_rowid=100,
        checkpointed_rowid=100,
        published_rowid=100,
        digest=0,
        model_digest=0,
    )


def block():
    model = Model(params.parameter_set("default"))
    model.score_series(300.0 * np.arange(100), np.sin(np.arange(100.0)))
    return Block.read(model.pack())


class Users:
    """Models that are used at times that a test gives."""

    def __init__(self):
        state = block()
        self.cache = ModelCache(1 << 19)
        self.uids = [f"uid-{number}" for number in range(COUNT)]
        for uid in self.uids:
            self.cache.add(Restored(cached_model(uid), state))

    def use(self, uids, now):
        self.cache.make_ready(set(uids), now, ready=uids)
        self.cache.touch(uids, now)
        self.cache.pool.score(uids, [1e6 + now] * len(uids), [0.0] * len(uids))

    @property
    def ready(self):
        return {uid for uid in self.uids if not self.cache.pool.is_packed(uid)}


@pytest.fixture
def users():
    return Users()


def test_where_models_come_in_turns_none_is_packed_for_another(users):
    ready = set()
    for now in range(1, 200):
        users.use(users.uids[now % 6 :: 6], float(now))
        if now == 6:
            ready = users.ready
    assert len(ready) == MIN_UNPACKED
    assert users.ready == ready


def test_one_that_is_used_more_often_takes_the_place_of_one_that_is_not(users):
    users.use(users.uids, 1.0)
    often = min(set(users.uids) - users.ready)
    before = users.ready
    users.use([often], 2.0)  # after one use nothing is known of it
    assert users.ready == before
    users.use([often], 3.0)
    assert users.ready == before  # the others may come as often
    users.use([often], 4.0)
    assert often in users.ready
    assert len(users.ready) == MIN_UNPACKED


def test_those_beyond_the_budget_are_packed_whoever_works(users):
    users.cache.budget = 1 << 30
    users.use(users.uids, 1.0)
    assert len(users.ready) == COUNT
    users.cache.budget = 1 << 19
    users.use(users.uids[:1], 2.0)
    assert users.uids[0] in users.ready
    assert len(users.ready) == MIN_UNPACKED


def test_of_packed_models_nobody_notes_how_recently_they_were_used(users, monkeypatch):
    monkeypatch.setattr(model_cache, "RECENT_KEPT", 0)
    for now in range(1, 60):
        users.use(users.uids[now % 6 :: 6], float(now))
    assert len(users.ready) == MIN_UNPACKED
    assert len(users.cache._recent) <= 2 * MIN_UNPACKED + COUNT // 6
    assert users.ready <= set(users.cache._recent)


def test_models_are_drawn_from_those_that_are_there(users):
    for uid in users.uids[:20]:
        users.cache.remove(uid)
    users.cache.budget = 0
    left = {cached.uid for cached in users.cache.excess(set(), set(), 1.0, COUNT)}
    assert left <= set(users.uids[20:])
    assert users.cache.excess(set(users.uids[:-1]), set(), 1.0, COUNT) == [users.cache[users.uids[-1]]]


def test_models_are_packed_for_those_that_come(users):
    users.cache.budget = 1 << 30
    users.use(users.uids, 1.0)
    assert len(users.ready) == COUNT
    users.cache.budget = users.cache.memory + (100 << 10)
    users.cache.make_ready((), 2.0)
    assert len(users.ready) == COUNT
    before = users.cache.memory
    users.cache.make_ready((), 3.0, coming=10)
    few = users.ready
    assert MIN_UNPACKED < len(few) < COUNT
    users.cache.make_ready((), 4.0, coming=20)
    assert users.ready < few
    assert users.cache.memory < before


class Turns:
    """Metrics that come in turns, of whose models the cache has room for six of ten."""

    METRICS = 500
    AT_ONCE = 5
    TURN_S = 300.0

    def __init__(self):
        self.state = block()
        self.uids = [f"uid-{number}" for number in range(self.METRICS)]
        self.cache = ModelCache(1 << 40)
        self.cache.add(Restored(cached_model("first"), self.state))
        self.cache.budget = 6 * self.METRICS // 10 * self.cache.memory

    def turn(self, number):
        """Let each metric come; return which had to be loaded, one by one."""
        loaded = []
        for first in range(0, self.METRICS, self.AT_ONCE):
            now = 1.0 + (number + first / self.METRICS) * self.TURN_S
            some = self.uids[first : first + self.AT_ONCE]
            for uid in some:
                loaded.append(uid not in self.cache)
                if loaded[-1]:
                    self.cache.add(Restored(cached_model(uid), self.state))
            while leaving := self.cache.excess(some, (), now, 100):
                for cached in leaving:
                    self.cache.remove(cached.uid)
            self.cache.touch(some, now)
        return loaded


def test_where_metrics_come_in_turns_as_many_models_stay_as_find_room():
    turns = Turns()
    loaded = [turns.turn(number) for number in range(8)]
    assert 0.4 <= np.mean(loaded[-1]) < 0.45
    # At no time of a turn most of those that come have to be loaded.
    assert max(np.mean(part) for turn in loaded[1:] for part in np.split(np.array(turn), 5)) < 0.7


def test_models_that_are_used_no_more_make_room_for_others():
    turns = Turns()
    for number in range(4):
        turns.turn(number)
    turns.uids = [f"other-{number}" for number in range(turns.METRICS)]
    loaded = [np.mean(turns.turn(number)) for number in range(4, 16)]
    assert loaded[0] == 1.0
    assert loaded[-1] < 0.45
    assert sum(uid in turns.cache for uid in turns.uids) > 0.55 * turns.METRICS
