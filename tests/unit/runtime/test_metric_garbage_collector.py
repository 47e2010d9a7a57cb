"""Removal of old rows in small steps."""

import threading

import pytest

from htmengine import config
from htmengine.repository import metrics, samples
from htmengine.repository.engine import open_engine, reading, writing
from htmengine.repository.migrations import upgrade
from htmengine.runtime.metric_garbage_collector import collect


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(config.Repository(path=tmp_path / "repository.sqlite"))
    upgrade(engine, 4)
    yield engine
    engine.dispose()


def nothing(uids):
    """There are no checkpoints."""
    return {}


def fill(engine, name, rows):
    with writing(engine) as conn:
        uid = metrics.create_custom(conn, [name])[name]
        samples.append(
            conn, [uid] * rows, list(range(1, rows + 1)), list(range(0, rows * 60, 60)), [1.0] * rows
        )
        samples.advance_last(conn, [samples.Advance(uid, 0, rows, (rows - 1) * 60)])
    return uid


def rowids(engine, uid):
    with reading(engine) as conn:
        return samples.read(conn, uid, 1, 10**6, 10**6).rowids


def test_old_rows_of_unmonitored_metrics_go_in_steps_and_newer_ones_stay(engine):
    uids = [fill(engine, f"m{i}", 50) for i in range(3)]
    removed = collect(engine, 60 * 30, checkpoints=nothing, stop=threading.Event(), rows_at_once=7, pause_s=0)
    assert removed == 90
    for uid in uids:
        assert rowids(engine, uid) == list(range(31, 51))


def test_a_second_run_finds_nothing(engine):
    fill(engine, "m", 10)
    arguments = {"checkpoints": nothing, "stop": threading.Event(), "pause_s": 0}
    assert collect(engine, 60 * 5, **arguments) == 5
    assert collect(engine, 60 * 5, **arguments) == 0


def test_a_model_keeps_the_rows_that_it_may_be_made_again_from(engine):
    uid = fill(engine, "m", 50)
    with writing(engine) as conn:
        metrics.start_model(conn, uid, parameters="{}", model_params="{}", status=1)
    with engine.begin() as conn:
        conn.exec_driver_sql("UPDATE metric SET scored_rowid = 40, base_rowid = 0, status = 1")
    arguments = {"stop": threading.Event(), "pause_s": 0}
    assert collect(engine, 60 * 50, checkpoints=nothing, **arguments) == 0
    assert collect(engine, 60 * 50, checkpoints=lambda uids: {(uid, 0): 25}, **arguments) == 25
    assert rowids(engine, uid) == list(range(26, 51))
    assert collect(engine, 60 * 50, checkpoints=lambda uids: {(uid, 0): 45}, **arguments) == 15
    assert rowids(engine, uid) == list(range(41, 51))


def test_it_stops_when_it_is_told_to(engine):
    fill(engine, "m", 50)
    stop = threading.Event()
    stop.set()
    assert collect(engine, 60 * 50, checkpoints=nothing, stop=stop) == 0
