"""Who may write checkpoints, and which are kept."""

import pytest

from htmengine import config
from htmengine.model_swapper.checkpoint_store import CheckpointStore, UnreadableCheckpoint, compressed
from htmengine.repository.engine import open_engine


@pytest.fixture
def store(tmp_path):
    engine = open_engine(config.Repository(path=tmp_path / "checkpoints.sqlite"))
    store = CheckpointStore(engine)
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
    assert store.newest(["uid"]) == {}
    assert store.write(written, {3: second}, scored={}, now=0) == frozenset()
    assert store.newest(["uid"])["uid", 1].block() == b"block"


def written(store, *rowids, scored, uid="uid", generation=1):
    """Write checkpoints one after the other, with the watermark at `scored`, and return what is kept."""
    epoch = store.claim(3)
    for rowid in rowids:
        block = f"block {rowid}".encode()
        store.write([compressed(uid, generation, rowid, 3, block)], {3: epoch}, scored=scored, now=rowid)
    return [key.last_rowid for key in store.listing(uid) if key.generation == generation]


@pytest.mark.parametrize(
    ("scored", "kept"),
    [
        ({"uid": 0}, [50]),  # none lies at or below the watermark: the rows are all there
        ({"uid": 10}, [10, 50]),
        ({"uid": 35}, [30, 50]),
        ({"uid": 49}, [40, 50]),
        ({"uid": 50}, [50]),
        ({"uid": 99}, [50]),
        ({}, [10, 20, 30, 40, 50]),  # nothing is known: nothing is dropped
        ({"another": 50}, [10, 20, 30, 40, 50]),
    ],
)
def test_the_newest_stays_and_the_newest_from_which_lost_scores_can_be_made_again(store, scored, kept):
    epoch = store.claim(3)
    for rowid in (10, 20, 30, 40):
        store.write([compressed("uid", 1, rowid, 3, b"block")], {3: epoch}, scored={}, now=0)
    assert written(store, 50, scored=scored) == kept


def test_what_is_dropped_is_of_the_same_model_only(store):
    written(store, 10, 20, scored={}, uid="other")
    written(store, 10, 20, scored={}, generation=0)
    assert written(store, 10, 20, 30, scored={"uid": 99}) == [30]
    assert [key[:3] for key in store.listing()] == [
        *(("other", 1, 10), ("other", 1, 20)),
        *(("uid", 0, 10), ("uid", 0, 20)),
        ("uid", 1, 30),
    ]


def test_the_same_checkpoint_again_replaces_itself(store):
    epoch = store.claim(3)
    for block in (b"one", b"two"):
        store.write([compressed("uid", 1, 10, 3, block)], {3: epoch}, scored={}, now=0)
    assert store.newest(["uid"])["uid", 1].block() == b"two"
    assert len(store.listing()) == 1


def test_of_many_models_the_newest_are_read_at_once(store):
    written(store, 10, 20, scored={})
    written(store, 30, scored={}, generation=2)
    written(store, 5, scored={}, uid="other")
    found = store.newest(["uid", "other", "unknown"])
    assert {key: (it.last_rowid, it.block()) for key, it in found.items()} == {
        ("uid", 1): (20, b"block 20"),
        ("uid", 2): (30, b"block 30"),
        ("other", 1): (5, b"block 5"),
    }
    assert store.newest([]) == {}


def test_discarding_takes_what_lies_beyond_a_row(store):
    written(store, 10, 20, 30, scored={})
    store.discard("uid", 1, above=20)
    assert [key.last_rowid for key in store.listing()] == [10, 20]
    store.discard("uid", 2, above=0)
    assert store.newest(["uid"])["uid", 1].last_rowid == 20


def test_a_deleted_model_takes_the_generations_before_it_along(store):
    for generation in (0, 1, 2):
        written(store, 10, scored={}, generation=generation)
    store.delete_models([("uid", 1), ("never was", 7)])
    assert store.models() == [("uid", 2)]


def test_the_oldest_checkpoint_says_which_rows_must_stay(store):
    written(store, 10, 20, scored={})
    written(store, 5, scored={}, uid="other")
    assert store.oldest(["uid", "other", "never was"]) == {("uid", 1): 10, ("other", 1): 5}


def test_a_block_of_a_later_version_or_a_broken_one_is_refused_with_the_reason():
    checkpoint = compressed("uid", 1, 10, 3, b"block")
    with pytest.raises(UnreadableCheckpoint, match="codec 9 is unknown"):
        checkpoint._replace(codec=9).block()
    with pytest.raises(UnreadableCheckpoint, match="cannot be decompressed"):
        checkpoint._replace(data=b"junk").block()
