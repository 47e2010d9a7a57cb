"""Rows are checked as columns, wherever they lie: beside the statements that servers execute, which are tried here, too."""

import math
import random

import pytest
from sqlalchemy import delete, update

from htmengine.repository import metrics, row_checks, schema, windows
from htmengine.repository.embedded import compaction, merging, rows
from htmengine.repository.times import from_epoch
from tests.support.examples import part
from tests.unit.repository.embedded.test_runs import count
from tests.unit.repository.embedded.test_steps import append
from tests.unit.repository.rows import FIRST_SECOND

data = schema.metric_data.c


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(rows, "MIN_RUN_ROWS", 6)
    monkeypatch.setattr(rows, "ROWS_OF_METRIC", 2)
    monkeypatch.setattr(merging, "RUNS_TO_MERGE", 3)
    monkeypatch.setattr(compaction, "BLOCK_ROWS", 8)
    monkeypatch.setattr(compaction, "MIN_PIECE", 3)
    monkeypatch.setattr(compaction, "PLAIN_S", 0.0)
    monkeypatch.setattr(row_checks, "ROWS_OF_SPAN", 16)
    monkeypatch.setattr(row_checks, "ROWS_OF_TEXT", 7)
    monkeypatch.setattr(windows, "METRICS_IN_STATEMENT", 3)


def damage(conn, draw, last):
    """Take rows away, or give some another time or other scores."""
    rowid = draw.randint(1, last)
    same = data.rowid.between(rowid, rowid + draw.choice([0, 5]))
    change = update(schema.metric_data).where(same)
    conn.execute(
        draw.choice(
            [
                delete(schema.metric_data).where(same),
                delete(schema.metric_data).where(data.rowid < rowid // 2),
                change.values(timestamp=from_epoch(FIRST_SECOND + 60 * draw.randint(1, last))),
                change.values(raw_anomaly_score=draw.choice([None, -0.5, 1.5])),
                change.values(anomaly_score=draw.choice([None, 1.5])),
                update(schema.metric).values(last_rowid=rowid),
            ]
        )
    )


def by_statements(conn, whole):
    """Return what servers find."""
    found = row_checks._counts(conn, whole), row_checks._reversals(conn, whole, 1000)
    return row_checks.Checked(*found, row_checks._halves(conn, whole, 1000))


def ordered(found):
    return found._replace(reversals=sorted(found.reversals), halves=sorted(found.halves))


@pytest.mark.parametrize("seed", range(part(12)))
def test_columns_say_what_statements_say_wherever_rows_lie(database, seed):
    draw = random.Random(seed)
    with database.write() as conn:
        uids = list(metrics.create_custom(conn, [f"m{number}" for number in range(5)]).values())
    last, places = 0, set()
    for _ in range(20):
        rowids = range(last + 1, last + draw.randint(2, 8))
        last = rowids[-1]
        with database.write() as conn:
            for uid in uids[:-1]:  # the last has none
                append(conn, draw, uid, rowids, [FIRST_SECOND + 60 * rowid for rowid in rowids])
            if draw.random() < 0.2:
                damage(conn, draw, last)
        for _ in range(draw.randint(0, 3)):
            with database.write() as conn:
                merging.merge(conn, draw.choice([3, 100]))
                compaction.compact(conn, draw.choice([1, 2]))
        with database.read() as conn:
            places |= {table for table in ("row_block", "merged_row", "run_sample") if count(conn, table)}
            since = FIRST_SECOND + 60 * draw.randint(0, last)
            for begin in draw.sample([None, since, -math.inf, math.inf], 2):
                whole = row_checks.Part(uids, begin)
                expected = ordered(by_statements(conn, whole))
                assert ordered(row_checks.checked(conn, whole, limit=1000)) == expected
    assert places == {"row_block", "merged_row", "run_sample"}
    assert expected.counts[0].uid == min(uids)


def test_of_wrong_rows_no_more_than_wanted_are_returned(database, uid):
    draw = random.Random(1)
    with database.write() as conn:
        append(conn, draw, uid, range(1, 41), [FIRST_SECOND] * 40)
        conn.execute(update(schema.metric_data).values(raw_anomaly_score=2.0))
    with database.read() as conn:
        found = row_checks.checked(conn, row_checks.Part([uid]), limit=7)
    assert found.reversals == [(uid, rowid) for rowid in range(2, 9)]
    assert found.halves == [(uid, rowid) for rowid in range(1, 8)]
