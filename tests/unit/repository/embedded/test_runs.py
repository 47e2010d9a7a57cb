"""Rows in runs and merged rows, through the view that applications see, beside a dictionary that is obviously right."""

import random
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from htmengine.repository import display, metrics, samples, schema, scores, series
from htmengine.repository.embedded import compaction, functions, merging, rows, tables
from htmengine.repository.times import from_epoch
from tests.support.examples import part
from tests.unit.repository.rows import FIRST_SECOND, add_rows, executed, rolled_back, score_rows

data = schema.metric_data.c
SEEDS = range(part(12))


@pytest.fixture(autouse=True)
def small_runs(monkeypatch):
    monkeypatch.setattr(rows, "MIN_RUN_ROWS", 6)
    monkeypatch.setattr(rows, "ROWS_OF_METRIC", 2)
    monkeypatch.setattr(merging, "RUNS_TO_MERGE", 3)
    monkeypatch.setattr(compaction, "BLOCK_ROWS", 4)
    monkeypatch.setattr(compaction, "PLAIN_S", 0.0)


@pytest.fixture
def uids(database):
    with database.write() as conn:
        return list(metrics.create_custom(conn, [f"metric{number}" for number in range(4)]).values())


def content(conn):
    return sorted(map(tuple, conn.execute(select(schema.metric_data))))


def count(conn, table):
    return conn.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()


def merge_all(database, part=1000):
    """Merge until nothing is left to do; return the number of steps."""
    steps = 0
    while True:
        with database.write() as conn:
            if not merging.is_due(conn):
                return steps
            merging.merge(conn, part)
        steps += 1


class Twin:
    """What the view must show: a row for each uid and rowid."""

    def __init__(self, draw):
        self.draw = draw
        self.rows = {}
        self.last = {}

    def append(self, conn, uids):
        chosen = self.draw.choices(uids, k=self.draw.randint(1, 7))
        columns = [], [], [], []
        for uid in chosen:
            rowid = self.last[uid] = self.last.get(uid, 0) + 1
            value, digest = self.draw.random(), self.draw.getrandbits(63)
            time = FIRST_SECOND + 60 * rowid
            for column, item in zip(columns, (uid, rowid, time, value), strict=True):
                column.append(item)
            self.rows[uid, rowid] = [from_epoch(time), value, *[None] * 7, digest, None, None, None]
        digests = [self.rows[key][9] for key in zip(columns[0], columns[1], strict=True)]
        samples.append(conn, *columns, digests)

    def score(self, conn):
        keys = self.draw.sample(sorted(self.rows), min(len(self.rows), self.draw.randint(1, 6)))
        others = self.draw.random() < 0.2  # digests of other samples: none of these is stored
        digests = [self.rows[key][9] ^ others for key in keys]
        raw = [self.draw.random() for _ in keys]
        forecasts = [0.5] * len(keys)
        found = scores.store(
            conn,
            uids=[uid for uid, _ in keys],
            rowids=[rowid for _, rowid in keys],
            digests=digests,
            raw_anomaly_scores=raw,
            anomaly_scores=raw,
            log_scores=raw,
            sequence_scores=raw,
            novelty_scores=raw,
            forecasts=forecasts,
            usual_lows=forecasts,
            usual_highs=forecasts,
        )
        assert found == (0 if others else len(keys))
        if not others:
            for key, one in zip(keys, raw, strict=True):
                height = int(display.bars(np.array([one]))[0])
                self.rows[key][2:9] = [one, one, height, "null", one, one, one]
                self.rows[key][10:] = [0.5, 0.5, 0.5]

    def change(self, conn):
        key = uid, rowid = self.draw.choice(sorted(self.rows))
        same = (data.uid == uid) & (data.rowid == rowid)
        if self.draw.random() < 0.5:
            conn.execute(delete(schema.metric_data).where(same))
            del self.rows[key]
        else:
            value = self.draw.random()
            conn.execute(update(schema.metric_data).where(same).values(metric_value=value, display_value=7))
            self.rows[key][1], self.rows[key][4] = value, 7

    def content(self):
        return sorted((*key, *row) for key, row in self.rows.items())


@pytest.mark.parametrize("seed", SEEDS)
def test_the_view_shows_what_was_written_wherever_it_lies(database, uids, seed):
    draw = random.Random(seed)
    twin = Twin(draw)
    with database.write() as conn:
        conn.execute(update(schema.metric).values(last_rowid=1000))  # none of these rows is the newest
    for _ in range(60):
        with database.write() as conn:
            twin.append(conn, uids)
        action = draw.choice(["score", "merge", "merge", "merge", "change"])
        with database.write() as conn:
            if action == "score":
                twin.score(conn)
            elif action == "merge":
                merging.merge(conn, draw.choice([1, 3, 100]))
                compaction.compact(conn, draw.choice([1, 2, 100]))
            elif twin.rows:
                twin.change(conn)
        with database.read() as conn:
            assert list(map(tuple, content(conn))) == twin.content()
    with database.read() as conn:
        assert count(conn, "merged_row") > 0
        assert count(conn, "row_block") > 0
        for uid in uids:
            own = sorted(rowid for other, rowid in twin.rows if other == uid)
            for at in range(0, twin.last[uid] + 2):
                later = [rowid for rowid in own if rowid >= at]
                found = series.first_from(conn, uid, FIRST_SECOND + 60 * at)
                assert [rowid for rowid in own if rowid >= found] == later


def test_full_runs_are_merged_and_the_newest_takes_rows(database, uids):
    with database.write() as conn:
        for uid in uids:
            for _ in range(7):
                add_rows(conn, uid, 1)
        before = content(conn)
        assert count(conn, "sample_run") == 4
    assert merge_all(database) == 1
    with database.write() as conn:
        assert content(conn) == before
        assert count(conn, "sample_run") == 1
        assert count(conn, "merged_row") == 24
        assert count(conn, "run_sample") == 4
        add_rows(conn, uids[0], 1)


def test_a_merge_that_is_undone_changes_nothing_and_is_done_again(database, uids):
    with database.write() as conn:
        for _ in range(10):
            for uid in uids:
                add_rows(conn, uid, 1)
        before = content(conn)
    with rolled_back(database) as conn:
        merging.merge(conn, 5)
    with database.read() as conn:
        assert content(conn) == before
        assert count(conn, "merged_row") == 0
    assert merge_all(database, 5) > 2
    with database.read() as conn:
        assert content(conn) == before


def test_many_rows_of_one_metric_are_merged_in_parts(database, uid):
    with database.write() as conn:
        for _ in range(6):
            add_rows(conn, uid, 10)
    with database.write() as conn:
        assert merging.merge(conn, 4) == 4
    assert merge_all(database, 4) > 5
    with database.read() as conn:
        assert samples.stored_range(conn, uid) == (1, 60, 60)
        assert count(conn, "merged_row") == 50


def test_a_row_that_was_merged_before_it_was_scored_gets_its_scores(database, uid):
    with database.write() as conn:
        for _ in range(6):
            add_rows(conn, uid, 6)
    merge_all(database)
    with database.write() as conn:
        score_rows(conn, uid, 1, 36)
        assert [row.raw_anomaly_score for row in scores.stored(conn, uid, 1, 36)] == [
            1 / rowid for rowid in range(1, 37)
        ]


def test_scores_of_older_runs_are_stored_without_a_search_through_the_newer_ones(database, uid):
    def statements(first, last):
        rowids = range(first, last + 1)
        names = ("raw_anomaly_scores", "anomaly_scores", "log_scores", "sequence_scores", "novelty_scores")
        columns = {name: [0.5] * len(rowids) for name in names}
        with database.write() as conn, executed(conn) as found:
            assert scores.store(conn, uids=[uid] * len(rowids), rowids=rowids, **columns) == len(rowids)
        return [statement for statement, _ in found]

    with database.write() as conn:
        for _ in range(9):
            add_rows(conn, uid, 6)
    newest = statements(49, 54)
    assert statements(13, 18) == newest
    assert len(statements(22, 27)) == len(newest) + 1  # of two runs
    merge_all(database)
    assert len(statements(7, 12)) == len(newest)
    with database.read() as conn:
        scored = [row.rowid for row in scores.stored(conn, uid, 1, 54)]
    assert scored == [*range(7, 19), *range(22, 28), *range(49, 55)]


def test_rows_of_a_deleted_metric_are_gone_everywhere(database, uids):
    with database.write() as conn:
        for _ in range(10):
            for uid in uids:
                add_rows(conn, uid, 1)
        merging.merge(conn, 8)
        for uid in uids:
            conn.execute(delete(schema.metric).where(schema.metric.c.uid == uid))
        assert content(conn) == []
        for table in ("metric_number", "run_sample", "run_score", "merged_row", "row_block"):
            assert count(conn, table) == 0


def test_rows_follow_a_metric_to_another_uid(database, uid):
    with database.write() as conn:
        add_rows(conn, uid, 9)
        conn.execute(update(schema.metric).values(uid="other"))
        assert samples.stored_range(conn, "other") == (1, 9, 9)
        assert samples.stored_range(conn, uid) is None


@pytest.mark.parametrize("merged", [False, True])
def test_applications_insert_rows_as_into_a_table(database, uid, merged):
    with database.write() as conn:
        add_rows(conn, uid, 30)
    if merged:
        merge_all(database)
    row = {"uid": uid, "rowid": 31, "timestamp": from_epoch(FIRST_SECOND), "metric_value": -0.1}
    with database.write() as conn:
        conn.execute(insert(schema.metric_data).values(row))
        stored = conn.execute(select(data.metric_value, data.timestamp).where(data.rowid == 31)).one()
        assert tuple(stored) == (-0.1, from_epoch(FIRST_SECOND))
    for refused in ({"rowid": 30}, {"rowid": 1}, {"rowid": 31}, {"uid": "unknown", "rowid": 32}):
        with pytest.raises(IntegrityError), database.write() as conn:
            conn.execute(insert(schema.metric_data).values(row | refused))
    with pytest.raises(IntegrityError), database.write() as conn:
        conn.execute(update(schema.metric_data).where(data.rowid == 31).values(rowid=30))


@pytest.mark.parametrize("compressed", [False, True])
def test_any_client_of_sqlite_reads_and_writes_the_view_until_it_shows_blocks(database, uid, compressed):
    with database.write() as conn:
        add_rows(conn, uid, 3)
        if compressed:
            tables.show_blocks(conn)
    with closing(sqlite3.connect(database.place)) as connection:
        if compressed:
            with pytest.raises(sqlite3.OperationalError, match="htmengine_block"):
                connection.execute("SELECT rowid FROM metric_data")
            found = connection.execute("SELECT rowid FROM recent_row ORDER BY rowid")
            assert found.fetchall() == [(1,), (2,), (3,)]
            functions.register(connection)
        connection.execute("UPDATE metric_data SET metric_value = 7.5 WHERE rowid = 2")
        connection.commit()
        found = connection.execute("SELECT rowid, metric_value, timestamp FROM metric_data ORDER BY rowid")
        assert found.fetchall() == [
            (1, 1.0, "2023-11-14 22:14:20.000000"),
            (2, 7.5, "2023-11-14 22:15:20.000000"),
            (3, 3.0, "2023-11-14 22:16:20.000000"),
        ]


def test_times_long_ago_come_back(database, uid):
    with database.write() as conn:
        samples.append(conn, [uid] * 2, [1, 2], [-62_135_596_800, -1], [0.0, 1.0])
        times = conn.scalars(select(data.timestamp).order_by(data.rowid)).all()
    assert times == [from_epoch(-62_135_596_800), from_epoch(-1)]
