"""Who may write checkpoints, and which are kept."""

import itertools
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zstandard

from htmengine import config
from htmengine.htm import params
from htmengine.htm.model import Model, UnreadableModel
from htmengine.model_swapper.checkpoint import (
    CODEC_CHECKED,
    CODEC_PACKED,
    CODEC_ZSTD,
    Checkpoint,
    UnreadableCheckpoint,
)
from htmengine.model_swapper.checkpoint_store import CheckpointStore, open_checkpoint_store
from htmengine.repository import identity
from htmengine.repository.checkpoints import ANCHOR_ROWS, ANCHORS
from htmengine.repository.opening import open_database
from htmengine.service.context import opened


@pytest.fixture
def store(tmp_path):
    database = open_database(config.Repository(path=tmp_path / "checkpoints.sqlite"))
    store = CheckpointStore(database)
    store.create()
    yield store
    database.close()


def test_every_owner_has_an_epoch_of_its_own(store):
    assert store.epoch(3) == 0
    assert [store.claim(3) for _ in range(3)] == [1, 2, 3]
    assert store.claim(0) == 1
    assert store.epoch(3) == 3


def test_an_owner_is_shut_out_by_the_next(store):
    first, second = store.claim(3), store.claim(3)
    written = [Checkpoint.of("uid", 1, 10, 3, b"block")]
    assert store.write(written, {3: first}, scored={}, now=0) == {3}
    assert store.newest(["uid"]) == {}
    assert store.write(written, {3: second}, scored={}, now=0) == frozenset()
    assert store.newest(["uid"])["uid", 1].block() == b"block"


def written(store, *rowids, scored, uid="uid", generation=1):
    """Write checkpoints one after the other, with the watermark at `scored`, and return what is kept."""
    epoch = store.claim(3)
    for rowid in rowids:
        block = f"block {rowid}".encode()
        store.write([Checkpoint.of(uid, generation, rowid, 3, block)], {3: epoch}, scored=scored, now=rowid)
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
        store.write([Checkpoint.of("uid", 1, rowid, 3, b"block")], {3: epoch}, scored={}, now=0)
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
        store.write([Checkpoint.of("uid", 1, 10, 3, block)], {3: epoch}, scored={}, now=0)
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


def test_a_checkpoint_that_is_needless_when_it_comes_is_not_stored(store):
    assert written(store, 10, 20, scored={"uid": 20}) == [20]
    assert written(store, 5, scored={"uid": 20}) == [20]


def test_rowids_of_checkpoints_say_up_to_where_rows_may_be_removed(store):
    written(store, 20, 10, scored={})
    written(store, 5, scored={}, uid="other")
    assert store.rowids(["uid", "other", "never was"]) == {("uid", 1): [10, 20], ("other", 1): [5]}
    store.delete_older({("uid", 1): 20, ("other", 0): 9, ("never was", 1): 3})
    assert store.rowids(["uid", "other"]) == {("uid", 1): [20], ("other", 1): [5]}


def test_few_checkpoints_stay_as_anchors_far_from_each_other(store):
    for rowid in range(500, 20_001, 500):
        written(store, rowid, scored={"uid": rowid})
        kept = store.rowids(["uid"])["uid", 1]
        assert kept[-1] == rowid
        assert len(kept) <= ANCHORS + 2
        if rowid >= ANCHOR_ROWS:
            assert kept[0] == ANCHOR_ROWS
            gaps = [after - before for before, after in itertools.pairwise(kept)]
            assert max(gaps, default=0) <= max(ANCHOR_ROWS, rowid / 2)
    store.delete_older({("uid", 1): kept[1]})
    written(store, 20_500, scored={"uid": 20_500})
    assert store.rowids(["uid"])["uid", 1][0] == kept[1]


def test_a_block_of_a_later_version_or_a_broken_one_is_refused_with_the_reason():
    checkpoint = Checkpoint.of("uid", 1, 10, 3, b"block").compressed()
    with pytest.raises(UnreadableCheckpoint, match="codec 9 is unknown"):
        checkpoint._replace(codec=9).block()
    with pytest.raises(UnreadableCheckpoint, match="4 bytes are less than a header"):
        checkpoint._replace(data=b"junk").block()
    with pytest.raises(UnreadableCheckpoint, match="cannot be decompressed"):
        checkpoint._replace(codec=CODEC_ZSTD, data=b"junk").block()
    with pytest.raises(UnreadableCheckpoint, match="its checksum does not match"):
        checkpoint._replace(last_rowid=9).block()


def test_a_checkpoint_of_an_earlier_version_is_read():
    data = zstandard.ZstdCompressor(level=1).compress(b"block")
    earlier = Checkpoint("uid", 1, 10, 3, CODEC_ZSTD, data)
    assert earlier.block() == b"block"
    assert earlier.digest == identity.UNKNOWN


@pytest.mark.parametrize("codec", [CODEC_ZSTD, CODEC_CHECKED])
def test_a_length_that_is_damaged_takes_no_memory(codec):
    """Two bits in the header of a frame make it say that it holds an exabyte."""
    block = bytes(np.random.default_rng(0).integers(0, 9, 20_000, dtype=np.uint8))
    checkpoint = Checkpoint.of("uid", 1, 10, 3, block).compressed()
    before = len(checkpoint.data) - len(checkpoint.data[checkpoint.data.index(b"\x28\xb5\x2f\xfd") :])
    frame = bytearray(checkpoint.data[before:])
    frame[4] |= 0xC0  # eight bytes of length where there were fewer
    data = checkpoint.data[:before] + frame if codec == CODEC_CHECKED else bytes(frame)
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableCheckpoint):
            checkpoint._replace(codec=codec, data=data).block()
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("codec", [CODEC_ZSTD, CODEC_CHECKED, CODEC_PACKED])
def test_whatever_is_damaged_the_checkpoint_is_refused_or_the_block_is_the_same(codec):
    random = np.random.default_rng(1)
    model = Model(params.parameter_set("default"))
    model.score_series(np.arange(300.0) * 60, random.normal(size=300))
    block = model.save()
    given = model.pack() if codec == CODEC_PACKED else block
    checkpoint = Checkpoint.of("uid", 1, 10, 3, given, digest=5).compressed()
    if codec == CODEC_ZSTD:
        data = zstandard.ZstdCompressor(level=1).compress(block)
        checkpoint = checkpoint._replace(codec=codec, data=data)
    refused = 0
    for trial in range(3000):
        data = bytearray(checkpoint.data)
        near = 40 if trial % 2 else len(data)  # the headers are as likely as all the rest
        for position in random.integers(0, min(near, len(data)), random.integers(1, 5)):
            data[position] ^= 1 << random.integers(8) if trial % 3 else random.integers(1, 256)
        damaged = checkpoint._replace(data=bytes(data))
        try:
            assert Model.load(damaged.block()).save() == block
            assert codec == CODEC_ZSTD or data == checkpoint.data
        except (UnreadableCheckpoint, UnreadableModel):
            refused += 1
    assert refused > 2000 if codec == CODEC_ZSTD else refused > 2900


def test_a_file_is_opened_once_and_closed_with_the_repository(tmp_path):
    before = set(threading.enumerate())
    with opened(config.embedded(tmp_path)) as context:
        store = open_checkpoint_store(context.settings, context.database)
        with ThreadPoolExecutor(8) as pool:
            others = list(
                pool.map(lambda _: open_checkpoint_store(context.settings, context.database), range(16))
            )
        assert all(other is store for other in others)
        store.claim(0)
    assert set(threading.enumerate()) <= before
    with opened(config.embedded(tmp_path)) as context:
        again = open_checkpoint_store(context.settings, context.database)
        assert again is not store
        assert again.epoch(0) == 1
