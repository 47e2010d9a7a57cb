"""Who may write checkpoints: the owner that claimed the shard last."""

import pytest

from htmengine import config
from htmengine.model_swapper.checkpoint_store import SqlCheckpointStore, compressed
from htmengine.repository.engine import open_engine


@pytest.fixture
def store(tmp_path):
    engine = open_engine(config.Repository(path=tmp_path / "checkpoints.sqlite"))
    store = SqlCheckpointStore(engine)
    store.create()
    yield store
    engine.dispose()


def test_every_owner_has_an_epoch_of_its_own(store):
    assert store.epoch(3) == 0
    assert [store.claim(3) for _ in range(3)] == [1, 2, 3]
    assert store.claim(0) == 1
    assert store.epoch(3) == 3


def test_an_owner_is_shut_out_by_the_next(store):
    first, second = store.claim(3), store.claim(3)
    written = [compressed("uid", 1, 10, 3, b"block")]
    assert store.write(written, {3: first}, scored={}, now=0) == {3}
    assert store.newest("uid", 1) is None
    assert store.write(written, {3: second}, scored={}, now=0) == frozenset()
    assert store.newest("uid", 1).block() == b"block"
