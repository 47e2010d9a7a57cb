"""Rows become blocks, and stay what they are for whoever reads or changes them."""

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import delete, select, update

from htmengine.repository import columns, fleet, samples, schema, scores, series, windows
from htmengine.repository.embedded import compaction, merging, reading, rows
from tests.unit.repository.embedded.test_runs import content, count, merge_all
from tests.unit.repository.rows import FIRST_SECOND, add_rows, rolled_back, score_rows

data = schema.metric_data.c


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(rows, "MIN_RUN_ROWS", 4)
    monkeypatch.setattr(rows, "ROWS_OF_METRIC", 2)
    monkeypatch.setattr(merging, "RUNS_TO_MERGE", 2)
    monkeypatch.setattr(compaction, "BLOCK_ROWS", 8)
    monkeypatch.setattr(compaction, "PLAIN_S", 0.0)


def compact_all(database, most=100):
    """Compact until nothing is left to do; return the number of steps."""
    merge_all(database)
    steps = 0
    while True:
        with database.write() as conn:
            if not compaction.is_due(conn):
                return steps
            compaction.compact(conn, most)
        steps += 1


@pytest.fixture
def filled(database, uid):
    """Return a metric without a model, with 40 rows that have scores, of which 32 are in blocks."""
    with database.write() as conn:
        for _ in range(10):
            add_rows(conn, uid, 4)
        score_rows(conn, uid, 1, 40)
    compact_all(database)
    with database.read() as conn:
        assert count(conn, "row_block") == 4
        assert count(conn, "merged_row") == 4
        assert count(conn, "run_sample") == 4
    return uid


def everything(conn, uid):
    """Return what each way of reading a metric's rows gives."""
    every = ("time", "metric_value", *schema.SCORES, "digest")
    found = columns.read(conn, uid, every, 1, 40)
    texts = [str(column if isinstance(column, list) else column.tolist()) for column in found]
    spans = [windows.Span(uid, 3, 35)]
    return [
        content(conn),
        texts,
        samples.read(conn, uid, 2, 39, 100),
        samples.read_spans(conn, {uid: (5, 37)}),
        samples.stored_range(conn, uid),
        samples.first_without_gap(conn, [uid]),
        samples.value_range(conn, uid),
        samples.tail(conn, uid, 20),
        samples.digest_at(conn, uid, 9),
        scores.stored(conn, uid, 1, 40),
        str(series.rows_since(conn, uid, 4, 10)),
        str(series.scored_since(conn, uid, 12, 9)),
        str(series.rows_between(conn, uid, FIRST_SECOND + 130, FIRST_SECOND + 2000)),
        str(series.steps_between(conn, uid, FIRST_SECOND, FIRST_SECOND + 9000, 300)),
        str(series.score_parts(conn, uid, FIRST_SECOND, FIRST_SECOND + 9000, ["raw", "novelty"], 300)),
        str([(one.rowids, one.columns) for one in windows.rows_of(conn, spans, ["value", "raw"])]),
        str(windows.steps_of(conn, uid, FIRST_SECOND, FIRST_SECOND + 9000, 300, ["value", "usual_low"])),
        [series.first_from(conn, uid, FIRST_SECOND + 30 * half) for half in range(90)],
    ]


def test_reading_gives_the_same_before_and_after(database, uid):
    with database.write() as conn:
        for _ in range(10):
            add_rows(conn, uid, 4)
        score_rows(conn, uid, 1, 40)
        before = everything(conn, uid)
    steps = compact_all(database, 1)
    assert steps > 4
    with database.read() as conn:
        assert count(conn, "row_block") == 4
        assert everything(conn, uid) == before


def test_compaction_that_is_undone_changes_nothing(database, filled):
    with rolled_back(database) as conn:
        conn.execute(update(schema.metric_data).where(data.rowid == 3).values(metric_value=7.5))
        compaction.begin(conn)
        compaction.compact(conn, 100)
        assert count(conn, "row_block") == 4
        assert conn.scalar(select(data.metric_value).where(data.rowid == 3)) == 7.5
    with database.read() as conn:
        assert conn.scalar(select(data.metric_value).where(data.rowid == 3)) == 3.0


def test_blocks_become_rows_again_that_any_client_reads(database, filled):
    plain = "SELECT uid, rowid, metric_value, anomaly_score FROM metric_data"
    with database.write() as conn:
        before = content(conn)
    with (
        closing(sqlite3.connect(database.place)) as stranger,
        pytest.raises(sqlite3.OperationalError, match="no such function: htmengine_block_item"),
    ):
        stranger.execute(plain)
    steps = 0
    is_left = True
    while is_left:
        with database.write() as conn:
            is_left = compaction.undo(conn, 3)
        steps += 1
    assert steps == 3  # four blocks, and none
    with closing(sqlite3.connect(database.place)) as stranger:
        assert len(stranger.execute(plain).fetchall()) == 40
    with database.read() as conn:
        assert content(conn) == before
        assert count(conn, "row_block") == 0


def test_the_last_day_stays_rows_that_any_client_reads(database, uid, monkeypatch):
    monkeypatch.setattr(compaction, "PLAIN_S", 20 * 60.0)
    with database.write() as conn:
        for _ in range(10):
            add_rows(conn, uid, 4)  # a minute apart
        score_rows(conn, uid, 1, 40)
    compact_all(database)
    with database.read() as conn:
        newest = conn.exec_driver_sql("SELECT max(rowid) FROM merged_row").scalar()
        assert reading.last_in_blocks(conn, [uid]) == {uid: (newest - 20) // 8 * 8}


def test_a_file_is_compressed_where_that_is_said(database, uid):
    with database.write() as conn:
        assert not compaction.is_wanted(conn)
        conn.exec_driver_sql("DELETE FROM row_compaction")
        compaction.want(conn, True)
        assert compaction.is_wanted(conn)
        assert compaction.is_due(conn)  # rows that were merged before
        compaction.want(conn, False)
        assert not compaction.is_wanted(conn)


def test_rows_without_scores_of_a_metric_with_a_model_stay_rows(database, uid):
    with database.write() as conn:
        for _ in range(10):
            add_rows(conn, uid, 4)
        conn.execute(update(schema.metric).values(status=1))
        conn.execute(update(schema.metric_watermark).values(scored_rowid=20))
    compact_all(database)
    with database.read() as conn:
        assert reading.last_in_blocks(conn, [uid]) == {uid: 16}


def test_the_newest_row_is_never_in_a_block(database, filled):
    with database.read() as conn:
        assert fleet.newest_rows(conn, [filled])[filled].rowid == 40
        assert samples.newest(conn, [filled])[filled].rowid == 40
    with database.write() as conn:  # but where newer ones were taken away
        conn.execute(delete(schema.metric_data).where(data.rowid > 30))
        conn.execute(update(schema.metric).values(last_rowid=30))
    compact_all(database)
    with database.write() as conn:
        conn.execute(delete(schema.metric_data).where(data.rowid > 24))
        conn.execute(update(schema.metric).values(last_rowid=24))
        assert fleet.newest_rows(conn, [filled])[filled].rowid == 24
        assert samples.newest(conn, [filled])[filled].rowid == 24
        assert samples.tail(conn, filled, 2).rowids == [23, 24]


def test_scores_of_rows_in_a_block_are_replaced(database, filled):
    with database.write() as conn:
        kept = [row for row in content(conn) if row[1] not in (10, 34)]
        halves = {
            f"{name}_scores": [0.5] for name in ("raw_anomaly", "anomaly", "log", "sequence", "novelty")
        }
        two = {name: column * 2 for name, column in halves.items()}  # the other is a merged row
        assert scores.store(conn, uids=[filled] * 2, rowids=[10, 34], **two) == 2
        assert scores.stored(conn, filled, 10, 10)[0].anomaly_score == 0.5
        assert [row for row in content(conn) if row[1] not in (10, 34)] == kept
        assert count(conn, "row_block") == 3
        compaction.begin(conn)
    compact_all(database)
    with database.read() as conn:
        assert count(conn, "row_block") == 4
        assert [row for row in content(conn) if row[1] not in (10, 34)] == kept


def test_a_part_of_a_block_is_removed(database, filled):
    with database.write() as conn:
        before = content(conn)
        rows.remove(conn, filled, 1, 19)
        assert content(conn) == [row for row in before if row[1] > 19]
        assert count(conn, "row_block") == 1
        rows.remove(conn, filled, 20, 40)
        assert content(conn) == []


def test_rows_between_gaps_stay_rows(database, uid):
    with database.write() as conn:
        for _ in range(10):
            add_rows(conn, uid, 4)
        conn.execute(delete(schema.metric_data).where(data.rowid.in_([2, 4, 12])))
        before = content(conn)
    compact_all(database)
    with database.read() as conn:
        assert content(conn) == before
        assert count(conn, "row_block") == 2  # those without any


def test_a_deleted_metric_leaves_no_block(database, filled):
    with database.write() as conn:
        conn.execute(delete(schema.metric).where(schema.metric.c.uid == filled))
        assert count(conn, "row_block") == 0
