"""Removal of old rows in small steps."""

import dataclasses
import threading
from pathlib import Path

import msgspec
import pytest

from htmengine import config
from htmengine.admin.verify import verify
from htmengine.model_swapper.checkpoint_store import open_checkpoint_store
from htmengine.repository import alarms, hours, metrics, retention, samples
from htmengine.repository import file_space as space
from htmengine.repository.alarms import NewAlarm
from htmengine.repository.file_space import can_shrink, file_space
from htmengine.repository.sqlite_file import open_sqlite
from htmengine.runtime import metric_garbage_collector
from htmengine.runtime.metric_garbage_collector import collect, collect_history, give_back, work
from htmengine.service.context import opened
from tests.support.repository import new_repository
from tests.unit.admin.test_verify import ROWS, scored


@pytest.fixture
def database(tmp_path):
    database = new_repository(tmp_path / "repository.sqlite")
    yield database
    database.close()


def nothing(uids):
    """There are no checkpoints."""
    return {}


def fill(database, name, rows, *, every_s=60):
    with database.write() as conn:
        uid = metrics.create_custom(conn, [name])[name]
        samples.append(
            conn,
            [uid] * rows,
            list(range(1, rows + 1)),
            list(range(0, rows * every_s, every_s)),
            [1.0] * rows,
        )
        samples.advance_last(conn, [samples.Advance(uid, 0, rows, (rows - 1) * every_s)])
    return uid


def rowids(database, uid):
    with database.read() as conn:
        return samples.read(conn, uid, 1, 10**6, 10**6).rowids


def test_old_rows_of_unmonitored_metrics_go_in_steps_and_newer_ones_stay(database):
    uids = [fill(database, f"m{i}", 50) for i in range(3)]
    removed = collect(
        database, 60 * 30, checkpoints=nothing, stop=threading.Event(), rows_at_once=7, pause_s=0
    )
    assert removed == 90
    for uid in uids:
        assert rowids(database, uid) == list(range(31, 51))


def test_alarms_and_hours_of_before_a_time_go_in_steps_and_others_stay(database, monkeypatch):
    monkeypatch.setattr(retention, "METRICS_BATCH_SIZE", 2)
    uids = [fill(database, f"m{i}", 200) for i in range(5)]  # three hours, and a part of one
    with database.write() as conn:
        for uid in uids:
            hours.store(conn, [hours.summed_to(conn, uid, 0, 0, 200)])
            alarms.store(
                conn, [NewAlarm(uid, rowid, 60 * (rowid - 1), 1.0, 0.7) for rowid in (10, 70, 72, 150)]
            )
    before, arguments = 2 * 3600 - 600, {"stop": threading.Event(), "rows_at_once": 4, "pause_s": 0}
    assert collect_history(database, before, **arguments) == 5 * (3 + 1)
    assert collect_history(database, before, **arguments) == 0
    with database.read() as conn:
        for uid in uids:
            assert [alarm.rowid for alarm in alarms.alarms_of(conn, uid, limit=9)] == [150]
            assert [hour.hour for hour in hours.stored(conn, uid, 0, 2**40)] == [3600, 7200, 10800]
            assert len(rowids(database, uid)) == 200


def test_a_second_run_finds_nothing(database):
    fill(database, "m", 10)
    arguments = {"checkpoints": nothing, "stop": threading.Event(), "pause_s": 0}
    assert collect(database, 60 * 5, **arguments) == 5
    assert collect(database, 60 * 5, **arguments) == 0


@pytest.mark.parametrize(
    ("step", "left"),
    [(0, [20, 17, 14]), (10 * 86_400, [20, 17, 4]), (-10 * 86_400, [20, 20, 20])],
    ids=["right", "forward", "back"],
)
def test_a_clock_that_is_set_forward_is_believed_an_interval_later(tmp_path, step, left):
    """Twenty rows, a day apart; rows of the last twenty days stay, and time passes by three days each time."""
    now, elapsed, seen = 20 * 86_400.0, 0.0, []

    class Stop(threading.Event):
        def wait(self, timeout=None):
            nonlocal now, elapsed
            if timeout == 3 * 86_400:
                seen.append(len(rowids(context.database, uid)))
                now += timeout + (step if len(seen) == 1 else 0)
                elapsed += timeout
                if len(seen) == len(left):
                    self.set()
            return self.is_set()

    settings = msgspec.structs.replace(
        config.embedded(tmp_path), retention=config.Retention(days=20, interval_s=3 * 86_400)
    )
    with opened(settings, stop=Stop()) as context:
        uid = fill(context.database, "m", 20, every_s=86_400)
        work(dataclasses.replace(context, clock=lambda: now, timer=lambda: elapsed))
    assert seen == left


def test_a_model_keeps_the_rows_that_it_may_be_made_again_from(database):
    uid = fill(database, "m", 50)
    with database.write() as conn:
        metrics.start_model(conn, uid, parameters="{}", model_params="{}", status=1)
    with database.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE metric SET base_rowid = 0, status = 1")
        conn.exec_driver_sql("UPDATE metric_watermark SET scored_rowid = 40")
    arguments = {"stop": threading.Event(), "pause_s": 0}
    assert collect(database, 60 * 50, checkpoints=nothing, **arguments) == 0
    forgotten = []
    both = {"checkpoints": lambda uids: {(uid, 0): [10, 25, 45]}, "forget": forgotten.append}
    assert collect(database, 60 * 50, **both, **arguments) == 25
    assert rowids(database, uid) == list(range(26, 51))
    assert forgotten == [{(uid, 0): 25}]


def test_what_stays_is_scored_again_bit_for_bit(tmp_path):
    with opened(config.embedded(tmp_path)) as context:
        uid = scored(context, "m")
        store = open_checkpoint_store(context.settings, context.database)
        removed = collect(
            context.database,
            2**32,
            checkpoints=store.rowids,
            forget=store.delete_older,
            stop=threading.Event(),
        )
        assert (removed, rowids(context.database, uid)[0]) == (40, 41)
        report = verify(context, rescore="*")
    assert (report.findings, report.rescored) == ([], ROWS - 40)


def test_the_oldest_rows_go_when_the_file_is_too_large(tmp_path):
    settings = msgspec.structs.replace(
        config.embedded(tmp_path), retention=config.Retention(gibibytes=1 / 1600)
    )
    now = 30 * 86_400
    with opened(settings) as context:
        old = fill(context.database, "old", 8000, every_s=75)
        new = fill(context.database, "new", 24_000, every_s=105)
        store = open_checkpoint_store(context.settings, context.database)
        assert metric_garbage_collector.excess_bytes(context) > 0
        removed = metric_garbage_collector.collect_excess(context, store, now, pause_s=0)
        assert metric_garbage_collector.excess_bytes(context) == 0
        left = len(rowids(context.database, old)) + len(rowids(context.database, new))
        assert left == 32_000 - removed
        assert left > 1000
        assert rowids(context.database, new)[-1] == 24_000
        with context.database.read() as conn:
            assert file_space(conn).reusable > 0  # new rows use it again
        assert metric_garbage_collector.collect_excess(context, store, now, pause_s=0) == 0


def test_room_that_new_rows_do_not_need_is_given_back(database, monkeypatch):
    monkeypatch.setattr(space, "KEPT_BYTES", 50_000)
    monkeypatch.setattr(space, "PAGES_BATCH_SIZE", 4)
    uid = fill(database, "m", 20_000)
    kept = fill(database, "kept", 100)
    with database.write() as conn:
        full = file_space(conn)
        samples.remove(conn, uid, 1, 19_900)
    given = give_back(database, stop=threading.Event(), pause_s=0)
    with database.read() as conn:
        left = file_space(conn)
        assert not can_shrink(conn)
        assert conn.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    assert 30_000 < left.reusable <= 50_000
    assert given > full.used / 3
    assert rowids(database, uid) == list(range(19_901, 20_001))
    assert rowids(database, kept) == list(range(1, 101))
    assert give_back(database, stop=threading.Event(), pause_s=0) == 0
    database.close()
    assert Path(database.place).stat().st_size == left.used + left.reusable


def test_a_file_of_an_earlier_version_keeps_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(space, "KEPT_BYTES", 0)
    database = open_sqlite(tmp_path / "old.sqlite", shrinks=False)
    with database.write() as conn:
        conn.exec_driver_sql("CREATE TABLE t (x)")
        conn.exec_driver_sql("INSERT INTO t VALUES (zeroblob(1000000))")
        conn.exec_driver_sql("DELETE FROM t")
    assert give_back(database, stop=threading.Event(), pause_s=0) == 0
    database.close()


def test_a_small_file_is_not_what_fills_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(metric_garbage_collector, "free_bytes", lambda folder: 1 << 20)
    with opened(config.embedded(tmp_path)) as context:
        assert metric_garbage_collector.excess_bytes(context) == 0
        monkeypatch.setattr(metric_garbage_collector, "LEAST_USED", 0)
        short = metric_garbage_collector.excess_bytes(context)
    assert short > metric_garbage_collector.reserve_bytes(tmp_path) / 2


@pytest.mark.parametrize(
    ("retention", "words"),
    [
        (
            {},
            "Rows are kept as long as 1.0 GiB of the disk are free or can be used again; then the oldest go",
        ),
        (
            {"days": 90, "gibibytes": 50},
            "Rows are kept for 90 days and as long as they take less than 50 GiB;",
        ),
    ],
)
def test_which_rows_are_kept_is_said(tmp_path, monkeypatch, retention, words):
    monkeypatch.setattr(metric_garbage_collector, "reserve_bytes", lambda folder: 1 << 30)
    settings = msgspec.structs.replace(config.embedded(tmp_path), retention=config.Retention(**retention))
    assert metric_garbage_collector.rule(settings).startswith(words)


def test_it_stops_when_it_is_told_to(database):
    fill(database, "m", 50)
    stop = threading.Event()
    stop.set()
    assert collect(database, 60 * 50, checkpoints=nothing, stop=stop) == 0
