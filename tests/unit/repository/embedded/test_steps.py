"""Rows in steps of time, from blocks, merged rows and runs, beside a naive reading of the view."""

import math
import random

import pytest
from sqlalchemy import delete, select, update

from htmengine.repository import metrics, samples, schema, scores
from htmengine.repository.embedded import compaction, merging, reading, rows, steps
from htmengine.repository.embedded.steps import OfStep
from htmengine.repository.times import epoch_seconds
from tests.support.examples import part
from tests.unit.repository.embedded.test_runs import count, merge_all
from tests.unit.repository.rows import FIRST_SECOND, add_rows

data = schema.metric_data.c
WANTED = [
    OfStep("metric_value", "last"),
    OfStep("metric_value", "min"),
    OfStep("metric_value", "max"),
    OfStep("log_score", "max"),
    OfStep("forecast", "last"),
    OfStep("usual_low", "min"),
]


@pytest.fixture(autouse=True)
def small_runs(monkeypatch):
    monkeypatch.setattr(rows, "MIN_RUN_ROWS", 6)
    monkeypatch.setattr(rows, "ROWS_OF_METRIC", 2)
    monkeypatch.setattr(merging, "RUNS_TO_MERGE", 3)
    monkeypatch.setattr(compaction, "BLOCK_ROWS", 8)
    monkeypatch.setattr(compaction, "PLAIN_S", 0.0)
    monkeypatch.setattr(steps, "MIN_ROWS_OF_STEP", 3)


def naive(conn, uid, first, last, step):
    """Return each step's beginning, and what is wanted of it; None where there is nothing."""
    query = select(data.rowid, epoch_seconds(data.timestamp), *(data[name] for name, _ in WANTED))
    query = query.where(data.uid == uid, data.rowid.between(first, last)).order_by(data.rowid)
    cells = {}
    for _, time, *row in conn.execute(query):
        cells.setdefault(time // step * step, []).append(row)
    found = []
    for begin, own in cells.items():
        columns = zip(*own, strict=True)
        given = [[item for item in column if item is not None] for column in columns]
        extremes = {"min": min, "max": max}
        found.append(
            [
                begin,
                *(
                    last if how == "last" else extremes[how](items, default=None)
                    for (_, how), last, items in zip(WANTED, own[-1], given, strict=True)
                ),
            ]
        )
    return found


def read(conn, uid, first, last, step):
    begins, columns = steps.read(conn, uid, WANTED, first, last, step)
    items = ([None if math.isnan(item) else item for item in column.tolist()] for column in columns)
    return [list(row) for row in zip(begins.tolist(), *items, strict=True)]


@pytest.mark.parametrize("seed", range(part(12)))
def test_steps_are_those_of_a_naive_reading_wherever_rows_lie(database, seed):
    draw = random.Random(seed)
    with database.write() as conn:
        uids = list(metrics.create_custom(conn, ["one", "other"]).values())
    time, last = draw.choice([-9000, FIRST_SECOND]), 0
    places = set()
    for _ in range(25):
        rowids = range(last + 1, last + draw.randint(2, 12))
        times = [time := time + draw.choice([1, 60, 60, 60, 7000]) for _ in rowids]
        last = rowids[-1]
        with database.write() as conn:
            for uid in uids:
                append(conn, draw, uid, rowids, times)
            if draw.random() < 0.3:
                gone = draw.randint(1, last - 1)
                conn.execute(
                    delete(schema.metric_data).where(data.rowid.between(gone, gone + draw.choice([0, 9])))
                )
        for _ in range(draw.randint(0, 2)):
            with database.write() as conn:
                merging.merge(conn, draw.choice([1, 3, 100]))
                compaction.compact(conn, draw.choice([1, 2]))
        with database.read() as conn:
            places |= {table for table in ("row_block", "merged_row", "run_sample") if count(conn, table)}
            for first, end in [(1, last), sorted(draw.choices(range(last + 2), k=2))]:
                for step in (1, 60, 450, 3600, 604_800):
                    expected = naive(conn, uids[0], first, end, step)
                    assert read(conn, uids[0], first, end, step) == expected
    assert places == {"row_block", "merged_row", "run_sample"}


def append(conn, draw, uid, rowids, times):
    """Append rows, some of which have scores."""
    count = len(rowids)
    values = [draw.gauss(0, 1) for _ in rowids]
    samples.append(conn, [uid] * count, rowids, times, values)
    conn.execute(update(schema.metric).where(schema.metric.c.uid == uid).values(last_rowid=rowids[-1]))
    scored = rowids[draw.randint(0, count) :]
    if scored:
        scores.store(
            conn,
            uids=[uid] * len(scored),
            rowids=scored,
            raw_anomaly_scores=[draw.random() for _ in scored],
            anomaly_scores=[draw.random() for _ in scored],
            log_scores=[draw.random() for _ in scored],
            sequence_scores=[draw.random() for _ in scored],
            novelty_scores=[draw.random() for _ in scored],
            forecasts=[draw.choice([math.nan, 0.5, 0.75]) for _ in scored],
            usual_lows=[draw.choice([math.nan, draw.random()]) for _ in scored],
            usual_highs=[math.nan for _ in scored],
        )


def test_no_row_of_a_step_that_is_merged_becomes_an_object_of_python(database, uid, monkeypatch):
    with database.write() as conn:
        for _ in range(10):
            add_rows(conn, uid, 4)
    merge_all(database)
    given = []
    columns = reading.columns

    def noted(*arguments):
        found = columns(*arguments)
        given.extend(found[0].tolist())
        return found

    monkeypatch.setattr(reading, "columns", noted)
    with database.read() as conn:
        steps.read(conn, uid, WANTED, 1, 40, 3600)
        assert given == [
            rowid for (rowid,) in conn.exec_driver_sql("SELECT rowid FROM run_sample ORDER BY rowid")
        ]
    assert len(given) < 10


def test_steps_are_found_by_the_key_of_merged_rows(database):
    with database.read() as conn:
        plan = str(conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {steps._FIRST_FROM}", (1, 1, 9, 0)).all())
    assert "SEARCH merged_row USING PRIMARY KEY (metric=? AND rowid>? AND rowid<?)" in plan
    assert "TEMP B-TREE" not in plan
