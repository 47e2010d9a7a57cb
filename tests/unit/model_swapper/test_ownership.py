import pytest

from htmengine.bus import Delivery
from htmengine.errors import DependencyUnavailable
from htmengine.model_swapper.ownership import ShardOwnership


class Store:
    def __init__(self):
        self.epochs = {}
        self.away = set()

    def claim(self, shard):
        if shard in self.away:
            raise DependencyUnavailable("away")
        self.epochs[shard] = self.epochs.get(shard, 0) + 1
        return self.epochs[shard]


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def ownership(store):
    return ShardOwnership(store, ["in.0", "in.1"])


def delivery(queue, epoch):
    return Delivery(queue, b"", {}, 1, epoch, 0)


def test_a_shard_is_claimed_once_for_each_epoch_of_its_queue(ownership):
    assert ownership.claim([delivery("in.1", 5), delivery("in.1", 5)]) == [1]
    assert ownership.claim([delivery("in.1", 5)]) == []
    assert ownership.claim([delivery("in.1", 7), delivery("in.0", 1)]) == [1, 0]
    assert [ownership.store_epoch(shard) for shard in (0, 1)] == [1, 2]
    assert ownership.shard("in.1") == 1


def test_a_shard_that_was_lost_is_claimed_when_its_messages_come_again(ownership):
    ownership.claim([delivery("in.0", 1)])
    ownership.lost([0, 1])
    assert ownership.claim([delivery("in.0", 1)]) == [0]
    assert ownership.store_epoch(0) == 2


def test_what_a_store_that_is_away_kept_from_being_claimed_is_claimed_later(ownership, store):
    store.away.add(1)
    both = [delivery("in.0", 1), delivery("in.1", 1)]
    with pytest.raises(DependencyUnavailable):
        ownership.claim(both)
    store.away.clear()
    assert ownership.claim(both) == [0, 1]
    assert ownership.store_epoch(0) == store.epochs[0]
