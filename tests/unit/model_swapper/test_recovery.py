"""How models come back: from checkpoints that can be used, else from their rows; and what is said where neither is there."""

import threading

import pytest
import zstandard
from sqlalchemy import delete, insert, null, select, update

from htmengine.htm import params
from htmengine.htm.model import Block, Model
from htmengine.messages import Samples, shard_of
from htmengine.model_swapper import model_memory
from htmengine.model_swapper.checkpoint import CODEC_PACKED, CODEC_ZSTD, Checkpoint
from htmengine.model_swapper.checkpoint_writer import Write
from htmengine.model_swapper.scheduler import ORPHANS_INTERVAL_S
from htmengine.repository import metrics, samples, schema, watermarks
from htmengine.repository.retention import remove_older
from htmengine.repository.status import MetricStatus
from tests.unit.model_swapper.world import PARAMETERS, SHARDS, START, value_of

OTHER_PARAMETERS = params.parameter_set("default", seed=1)

row = schema.metric_data.c


@pytest.fixture
def trained(world):
    """Twenty rows are scored and stored, and the model has left two checkpoints, of rows 10 and 20."""
    for _ in range(2):
        world.publish(*[(0, rowid) for rowid in world.append(0, 10)])
        world.settle_all()
        world.scheduler._writer.flush()
        world.store_all()
    world.close()
    assert [key.last_rowid for key in world.store.listing()] == [10, 20]
    return world


def goes_on(world, last, *, generation=0, first=1):
    """Start the scheduler again, let the rest come, and compare with an undisturbed run."""
    world.start()
    count = last - world.states()[world.uids[0]].last_rowid
    if count > 0:
        world.publish(*[(0, rowid) for rowid in world.append(0, count)])
    world.heal()
    assert world.finals(0, generation) == world.expected(0, last, first=first)


def in_checkpoints(world, statement):
    with world.checkpoint_database.write() as conn:
        conn.execute(statement)


# -- Checkpoints that cannot be used


def frame(block):
    """Return a block as earlier versions stored it."""
    return zstandard.ZstdCompressor().compress(block)


@pytest.mark.parametrize(
    "values",
    [
        {"block": b"junk"},
        {"block": b""},
        {"codec": 99},
        {"block": frame(b"no model at all"), "codec": CODEC_ZSTD},
        {"block": frame(Model(PARAMETERS).save()), "codec": CODEC_ZSTD},  # of another row
        {"block": frame(Model(PARAMETERS, generation=3).save()), "codec": CODEC_ZSTD},
        {"block": frame(Model(OTHER_PARAMETERS).save()), "codec": CODEC_ZSTD},
    ],
    ids=["junk", "empty", "codec", "no model", "row", "generation", "parameters"],
)
def test_a_block_that_cannot_be_read_is_discarded_and_the_rows_are_learned_again(trained, values):
    in_checkpoints(trained, update(schema.model_checkpoint).values(values))
    goes_on(trained, 30)
    assert not trained.failures


def test_a_packed_state_that_its_checksum_does_not_betray_is_discarded_when_it_is_used(trained):
    newest = trained.store.newest(trained.uids)[trained.uids[0], 0]
    block = newest.block()
    state = len(Block.read(block).state)
    damaged = block[:-state] + bytes(255 - byte for byte in block[-state:])
    whole = Checkpoint.of(*newest[:4], damaged, newest.digest).compressed()
    of_newest = schema.model_checkpoint.c.last_rowid == newest.last_rowid
    in_checkpoints(trained, update(schema.model_checkpoint).where(of_newest).values(block=whole.data))
    goes_on(trained, 30)
    assert not trained.failures


# -- Versions, and lives of the repository


@pytest.mark.parametrize("messages_had", [True, False], ids=["messages of now", "messages of then"])
def test_what_a_version_before_digests_left_goes_on(trained, messages_had):
    with trained.database.write() as conn:
        conn.execute(update(schema.metric).values(tail_digest=null(), model_digest=null()))
        conn.execute(update(schema.metric_data).values(digest=null()))
    for key in trained.store.listing():
        old = frame(Model.load(trained.store.read(key).block()).save())
        of_key = schema.model_checkpoint.c.last_rowid == key.last_rowid
        in_checkpoints(
            trained, update(schema.model_checkpoint).where(of_key).values(codec=CODEC_ZSTD, block=old)
        )
    trained.start()
    if messages_had:
        trained.publish(*[(0, rowid) for rowid in trained.append(0, 5)])
    else:
        publish_rows(trained, 0, {rowid: rowid for rowid in trained.append(0, 5)})
    trained.settle_all()
    trained.close()
    goes_on(trained, 40)
    assert "models_set_back" not in trained.scheduler.counters.snapshot()
    with trained.database.read() as conn:
        digests = samples.read(conn, trained.uids[0], 1, 40, 40).digests
    assert [rowid for rowid, digest in enumerate(digests, 1) if not digest] == list(range(1, 21))
    assert {checkpoint.codec for checkpoint in trained.store.newest(trained.uids).values()} == {CODEC_PACKED}


def test_a_checkpoint_of_samples_that_were_lost_is_not_taken_though_its_rowid_is_there_again(world):
    world.publish(*[(0, rowid) for rowid in world.append(0, 12)])
    world.settle_all()
    world.store_all()
    copy = world.copied()
    world.publish(*[(0, rowid) for rowid in world.append(0, 13)])
    world.settle_all()
    world.store_all()
    world.close()
    assert [key.last_rowid for key in world.store.listing()][-1] == 25
    world.goes_back(copy)
    world.append(0, 20)
    world.start()
    world.publish((0, 32))
    world.heal()
    assert world.finals(0) == world.expected(0, 32)
    assert world.scheduler.counters.snapshot()["models_set_back"] == 1


@pytest.mark.parametrize("grown", [False, True], ids=["of the last row", "of a row before"])
def test_a_checkpoint_of_another_life_is_not_taken_though_all_its_rows_are_scored(world, grown):
    def twenty():
        world.publish(*[(0, rowid) for rowid in world.append(0, 20)])
        world.settle_all()
        world.store_all()
        world.close()
        return next(iter(world.store.newest(world.uids).values()))

    copy = world.copied()
    other = twenty()
    world.goes_back(copy)
    world.start()
    assert twenty()[:3] == other[:3]
    in_checkpoints(world, delete(schema.model_checkpoint).where(schema.model_checkpoint.c.last_rowid < 20))
    in_checkpoints(world, update(schema.model_checkpoint).values(block=other.data))
    if grown:
        world.append(0, 3)
    goes_on(world, 40)


def test_a_model_in_memory_notices_that_the_repository_went_back(world):
    world.publish(*[(0, rowid) for rowid in world.append(0, 12)])
    world.settle_all()
    world.store_all()
    copy = world.copied()
    world.publish(*[(0, rowid) for rowid in world.append(0, 13)])
    world.settle_all()
    world.store_all()
    world.goes_back(copy)
    for _ in range(20):  # first rows that it has taken already, then those behind
        world.publish(*[(0, rowid) for rowid in world.append(0, 1)])
        world.round()
    world.heal()
    assert world.finals(0) == world.expected(0, 32)


def test_a_row_that_was_changed_by_hand_is_taken_as_it_is(trained):
    rowids = trained.append(0, 10)
    with trained.database.write() as conn:
        conn.execute(update(schema.metric_data).where(row.rowid == 21).values(digest=5))
    trained.start()
    trained.publish((0, rowids[-1]))
    trained.heal()
    assert trained.finals(0) == trained.expected(0, 30)


def test_where_the_newest_block_cannot_be_read_the_one_before_is_taken(trained):
    newest = schema.model_checkpoint.c.last_rowid == 20
    in_checkpoints(trained, update(schema.model_checkpoint).where(newest).values(block=b"junk"))
    remove_rows(trained, 10)  # so that nothing else would do
    goes_on(trained, 30)


def test_a_checkpoint_of_rows_that_the_repository_lost_is_discarded(trained):
    with trained.database.write() as conn:
        conn.execute(delete(schema.metric_data).where(row.rowid > 8))
        conn.execute(
            update(schema.metric)
            .where(schema.metric.c.uid == trained.uids[0])
            .values(last_rowid=8, tail_timestamp=START + 300 * 8)
        )
        watermarks.move(conn, trained.uids[0], scored_rowid=8)
    del trained.final[trained.uids[0], 0][8:]
    goes_on(trained, 20)
    assert all(key.last_rowid <= 20 for key in trained.store.listing(trained.uids[0]))


# -- Rows that are gone


def remove_rows(world, last):
    """Remove old rows, as retention does where it has nothing to go by but the scores."""
    with world.database.write() as conn:
        remove_older(
            conn, START + 300 * last + 1, limit=1000, checkpoints=lambda uids: {(world.uids[0], 0): [last]}
        )


def test_a_model_that_lost_its_checkpoint_and_its_history_begins_again_and_says_so(trained):
    remove_rows(trained, 12)
    in_checkpoints(trained, delete(schema.model_checkpoint))
    goes_on(trained, 30, generation=1, first=13)
    state = trained.states()[trained.uids[0]]
    assert (state.generation, state.base_rowid, state.status) == (1, 12, MetricStatus.ACTIVE)
    with trained.database.read() as conn:
        message = conn.scalar(select(schema.metric.c.message).where(schema.metric.c.uid == trained.uids[0]))
    assert "began again at row 13" in message
    assert "removed by retention" in message


def test_a_model_with_a_checkpoint_behind_the_removed_rows_goes_on_as_if_nothing_had_happened(trained):
    remove_rows(trained, 20)
    goes_on(trained, 30)
    assert trained.states()[trained.uids[0]].generation == 0


def test_a_row_that_is_missing_between_others_ends_the_model_with_the_reason(trained):
    in_checkpoints(trained, delete(schema.model_checkpoint))
    with trained.database.write() as conn:
        conn.execute(delete(schema.metric_data).where(row.rowid == 5))
    trained.start()
    trained.append(0, 1)
    trained.publish((0, 21))
    trained.settle_all()
    (failure,) = trained.failures
    assert (failure.uid, failure.generation) == (trained.uids[0], 0)
    assert "row 5 is missing" in failure.error_message
    with trained.database.write() as conn:  # monitored again, as the message says
        metrics.end_model(conn, trained.uids[0])
        trained.begin_model(conn, trained.uids[0])
    trained.close()
    goes_on(trained, 30, generation=1, first=6)


# -- Rows that go back in time


@pytest.mark.parametrize("live", [True, False])
def test_a_row_that_goes_back_in_time_ends_the_model_at_the_row_before(world, live):
    rowids = world.append(0, 10)
    other = world.append(1, 10)
    earlier = select(row.timestamp).where(row.uid == world.uids[0], row.rowid == 2).scalar_subquery()
    with world.database.write() as conn:
        seventh = row.uid == world.uids[0], row.rowid == 7
        conn.execute(update(schema.metric_data).where(*seventh).values(timestamp=earlier))
    if live:
        world.publish((0, 1), *[(1, rowid) for rowid in other])
        world.settle_all()
        publish_rows(world, 0, {rowid: 2 if rowid == 7 else rowid for rowid in rowids[1:]})
    else:
        world.publish((0, 10), (1, 10))
    world.settle_all()
    world.store_all()
    (failure,) = world.failures
    assert failure.uid == world.uids[0]
    assert "row 7" in failure.error_message
    assert "before the row before it" in failure.error_message
    assert world.finals(0) == world.expected(0, 6)
    assert world.finals(1) == world.expected(1, 10)


def publish_rows(world, metric, times):
    """Publish rows of a metric, each with the time of a row that is given beside it."""
    uid = world.uids[metric]
    world.publish_message(
        shard_of(uid, SHARDS),
        Samples(
            uids=[uid] * len(times),
            generations=[0] * len(times),
            rowids=list(times),
            timestamps=[START + 300 * time for time in times.values()],
            values=[value_of(metric, rowid) for rowid in times],
        ),
    )


def test_a_failed_model_is_told_once_and_its_input_dropped(trained):
    in_checkpoints(trained, delete(schema.model_checkpoint))
    with trained.database.write() as conn:
        conn.execute(update(schema.metric).values(model_params="{}"))
    trained.start()
    trained.append(0, 2)
    for rowid in (21, 22, 22):
        trained.publish((0, rowid))
        trained.settle_all()
    assert len(trained.failures) == 1
    assert not trained.results


# -- Models that there are no more


def test_checkpoints_of_models_that_are_gone_are_removed_in_time(trained):
    uid = trained.uids[0]
    with trained.database.write() as conn:
        metrics.end_model(conn, uid)
        trained.begin_model(conn, uid)
    in_checkpoints(
        trained,
        insert(schema.model_checkpoint).values(
            uid="0" * 32, generation=0, last_rowid=5, shard=0, written_at=0, codec=CODEC_ZSTD, block=b"x"
        ),
    )
    goes_on(trained, 20, generation=1)
    trained.clock.now += ORPHANS_INTERVAL_S
    trained.round()
    trained.scheduler._writer.flush()
    assert trained.store.models() == [(uid, 1)]


def test_orphans_are_looked_for_again_and_again_but_seldom(world):
    looked = []
    world.scheduler._recovery.remove_orphans = lambda: looked.append(world.clock.now)
    for _ in range(3 * int(ORPHANS_INTERVAL_S) // 10):
        world.round()
    world.scheduler._writer.flush()
    assert len(looked) == 3


def test_what_the_scheduler_does_is_counted(trained):
    trained.start()
    trained.append(0, 4)
    trained.publish((0, 24))
    trained.settle_all()
    counted = trained.scheduler.counters.snapshot()
    assert (counted["models_loaded"], counted["rows_read"], counted["rows_scored"]) == (1, 4, 4)


def test_a_checkpoint_that_is_still_being_written_counts_as_stored(world):
    uid = world.uids[0]
    recovery, writer = world.scheduler._recovery, world.scheduler._writer
    models = [(uid, 0) for uid in world.uids]
    assert recovery.newest(models) == {}
    hold = threading.Event()
    writer.put(hold.wait)
    shard = shard_of(uid, SHARDS)
    checkpoint = Checkpoint.of(uid, 0, 1, shard, b"block")
    writer.put(Write(checkpoint, world.store.claim(shard)))
    try:
        assert recovery.newest(models) == {(uid, 0): checkpoint}
    finally:
        hold.set()
    writer.flush()
    assert {key: it.block() for key, it in recovery.newest(models).items()} == {(uid, 0): b"block"}


def test_models_that_find_no_room_take_a_few_rows_again_rather_than_be_saved_each_time(
    make_world, monkeypatch
):
    worth = 8  # rows of a block
    monkeypatch.setattr(model_memory, "ROWS_WORTH_A_BLOCK", worth)
    world = make_world(metrics_count=2, resident_bytes=1, requests_per_checkpoint=1000)
    rows = 3 * worth
    for _ in range(rows):  # each sample of a metric meets a model that was let go
        world.publish(*[(metric, rowid) for metric in range(2) for rowid in world.append(metric, 1)])
        world.settle_all()
        world.store_all()
    for metric in range(2):
        assert world.finals(metric) == world.expected(metric, rows)
    evicted, saved = (world.scheduler.counters.snapshot()[name] for name in ("models_evicted", "checkpoints"))
    assert evicted >= rows - 1  # the last of each round stays
    # The first block of a model comes early by a share of the interval that goes by its uid.
    assert 2 * 2 <= saved <= 2 * 4


def test_no_model_is_loaded_in_vain_where_all_come_in_turns_and_most_find_no_room(make_world, monkeypatch):
    monkeypatch.setattr(model_memory, "BACKLOG_BATCH_SIZE", 1)
    count, together, rows = 48, 8, 12
    world = make_world(metrics_count=count, resident_bytes=400_000, requests_per_checkpoint=1000)
    for _ in range(rows):
        for first in range(0, count, together):
            some = range(first, first + together)
            world.publish(*[(metric, rowid) for metric in some for rowid in world.append(metric, 1)])
            world.round()  # others come before rows of all these could be read one by one
        world.store_all()
    world.settle_all()
    world.store_all()
    for metric in range(count):
        assert world.finals(metric) == world.expected(metric, rows)
    found = world.scheduler.counters.snapshot()
    assert found["models_evicted"] > count * rows / 2
    assert found["models_loaded"] + found["models_made"] <= count * rows


def test_models_of_which_one_finds_room_get_on_though_few_rows_are_read_at_a_time(make_world, monkeypatch):
    monkeypatch.setattr(model_memory, "BACKLOG_BATCH_SIZE", 1)
    count, rows = 8, 12
    world = make_world(metrics_count=count, resident_bytes=1, requests_per_checkpoint=1000, chunk_size=8)
    for _ in range(rows):
        for metric in range(count):
            world.publish(*[(metric, rowid) for rowid in world.append(metric, 1)])
        world.settle_all()
        world.store_all()
    for metric in range(count):
        assert world.finals(metric) == world.expected(metric, rows)


def test_models_are_saved_as_the_rate_allows_before_a_checkpoint_is_due(make_world, monkeypatch):
    behind = 16  # rows of which a block is written while there is time
    monkeypatch.setattr(model_memory, "ROWS_WRITTEN_BEHIND", behind)
    world = make_world(metrics_count=4, requests_per_checkpoint=1000)
    rows = 2 * behind + 5
    for _ in range(rows):
        world.publish(*[(metric, rowid) for metric in range(4) for rowid in world.append(metric, 1)])
        world.settle_all()
    world.scheduler._writer.flush()
    unsaved = [cached.unsaved for cached in world.scheduler._memory.cache]
    assert max(unsaved) <= behind
    assert world.scheduler.counters.snapshot()["checkpoints"] <= 4 * 3
    world.kill()
    world.start()
    world.sweep()
    world.heal()
    for metric in range(4):
        assert world.finals(metric) == world.expected(metric, rows)


def test_saving_at_the_end_takes_those_first_that_have_most_to_take_again_and_ends_in_time(
    make_world, monkeypatch
):
    world = make_world(metrics_count=4, requests_per_checkpoint=1000)
    monkeypatch.setattr(model_memory, "ROWS_WRITTEN_BEHIND", 1000)
    monkeypatch.setattr(model_memory, "LAST_BATCH_SIZE", 1)
    monkeypatch.setattr(model_memory, "SAVING_TIMEOUT_S", 15.0)
    for metric, count in enumerate([10, 30, 20, 40]):
        world.publish(*[(metric, rowid) for rowid in world.append(metric, count)])
    world.settle_all()
    world.store_all()
    behind = sorted(cached.behind for cached in world.scheduler._memory.cache if cached.dirty)
    assert behind == [10, 20, 30, 40]

    def slow(text):
        world.clock.now += 10

    monkeypatch.setattr(world.scheduler, "_progress", slow)
    saved = world.scheduler.counters.snapshot().get("checkpoints", 0)
    world.close()
    # Ten seconds before each: the second is worth it then, and after twenty there is no time for the third.
    assert [world.scheduler._memory.cache[uid].dirty for uid in world.uids] == [True, False, True, False]
    assert world.scheduler.counters.snapshot()["checkpoints"] == saved + 2
    world.start()
    world.heal()
    for metric, count in enumerate([10, 30, 20, 40]):
        assert world.finals(metric) == world.expected(metric, count)


def test_models_with_a_few_rows_alone_are_saved_for_a_shorter_time(make_world, monkeypatch):
    world = make_world(metrics_count=3, requests_per_checkpoint=1000)
    monkeypatch.setattr(model_memory, "LAST_BATCH_SIZE", 1)
    monkeypatch.setattr(model_memory, "SAVING_FEW_ROWS_TIMEOUT_S", 5.0)
    for metric in range(3):
        world.publish(*[(metric, rowid) for rowid in world.append(metric, 10)])
    world.settle_all()
    world.store_all()

    def slow(text):
        world.clock.now += 4

    monkeypatch.setattr(world.scheduler, "_progress", slow)
    world.close()
    assert [world.scheduler._memory.cache[uid].dirty for uid in world.uids] == [False, False, True]
    world.start()
    world.heal()
    assert [world.finals(metric) == world.expected(metric, 10) for metric in range(3)] == [True] * 3


def test_memory_is_given_back_some_time_after_models_came_and_not_again_before_others_come(
    world, monkeypatch
):
    monkeypatch.setattr(model_memory, "GIVE_BACK_INTERVAL_S", 30.0)
    world.publish(*[(0, rowid) for rowid in world.append(0, 2)])
    for _ in range(8):  # ten seconds each
        world.round()
    assert world.given_back == [40.0]
    world.publish(*[(metric, rowid) for metric in (0, 1) for rowid in world.append(metric, 2)])
    for _ in range(8):
        world.round()
    assert world.given_back == [40.0, 120.0]
    world.publish(*[(metric, rowid) for metric in (0, 1) for rowid in world.append(metric, 2)])
    for _ in range(8):
        world.round()
    assert world.given_back == [40.0, 120.0]


def test_memory_is_given_back_once_after_the_start_though_no_model_comes(make_world, monkeypatch):
    monkeypatch.setattr(model_memory, "FIRST_GIVE_BACK_S", 40.0)
    world = make_world()
    for _ in range(12):  # ten seconds each
        world.round()
    assert world.given_back == [40.0]


def test_memory_is_given_back_as_soon_as_it_is_much(make_world, monkeypatch):
    monkeypatch.setattr(model_memory, "GIVE_BACK_INTERVAL_S", 1e9)
    monkeypatch.setattr(model_memory, "FIRST_GIVE_BACK_S", 1e9)
    world = make_world()
    world.publish(*[(metric, rowid) for metric in range(3) for rowid in world.append(metric, 2)])
    world.settle_all()
    assert world.given_back == []
    world.close()
    monkeypatch.setattr(model_memory, "GIVE_BACK_BYTES", 1)
    monkeypatch.setattr(model_memory, "GIVE_BACK_SHARE", 0.0)
    world.start()
    world.publish((0, world.append(0, 1)[0]))
    world.settle_all()
    assert len(world.given_back) == 1
    world.publish((0, world.append(0, 1)[0]))  # which is in memory
    world.settle_all()
    assert len(world.given_back) == 1


def test_a_scheduler_that_ends_says_how_far_saving_is(world, monkeypatch):
    said = []
    monkeypatch.setattr(model_memory, "LAST_BATCH_SIZE", 1)
    monkeypatch.setattr(world.scheduler, "_progress", said.append)
    world.publish(*[(metric, rowid) for metric in range(3) for rowid in world.append(metric, 2)])
    world.settle_all()
    unsaved = sum(cached.dirty for cached in world.scheduler._memory.cache)
    world.close()
    assert said == [f"{number} of {unsaved} models saved" for number in range(unsaved)]


def test_scores_that_were_lost_are_made_again_though_the_model_leaves_memory_at_once(make_world):
    """Its checkpoint lies beyond the lost scores, and it is never there when its rows are asked for again."""
    world = make_world(metrics_count=1, resident_bytes=1, requests_per_checkpoint=5)
    world.publish(*((0, rowid) for rowid in world.append(0, 20)))
    world.round()
    world.results.clear()
    world.publish(*((0, rowid) for rowid in world.append(0, 2)))
    world.round()
    world.heal()
    assert world.finals(0) == world.expected(0, 22)
