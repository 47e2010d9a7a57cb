import pytest
from sqlalchemy import event, update

from htmengine.repository import alarms, metrics, overview, samples, schema, scores, watermarks
from htmengine.repository.alarms import NewAlarm
from htmengine.repository.latest_scores import latest_scores
from htmengine.repository.status import MetricStatus
from tests.unit.repository.rows import FIRST_SECOND, add_rows, score_rows

LOG_SCORES = [0.0, 0.1, 0.2, 0.3, 0.5, 0.9]


def anomaly_score(log_score):
    return 1.0000000001 - 10.0 ** (-10.0 * log_score)


@pytest.fixture
def uids(database):
    """Give two metrics with a row for each of the log scores, and one that was not scored yet."""
    with database.write() as conn:
        uids = metrics.create_custom(conn, ["a", "b"])
        for number, uid in enumerate(uids.values()):
            count = len(LOG_SCORES) + 1
            rowids = range(1, count + 1)
            times = [FIRST_SECOND + 60 * rowid + number for rowid in rowids]
            samples.advance_last(conn, [samples.Advance(uid, 0, count, times[-1])])
            samples.append(conn, [uid] * count, rowids, times, [float(rowid) for rowid in rowids])
            scores.store(
                conn,
                uids=[uid] * len(LOG_SCORES),
                rowids=rowids[:-1],
                raw_anomaly_scores=LOG_SCORES,
                anomaly_scores=[max(0.0, anomaly_score(score)) for score in LOG_SCORES],
                log_scores=LOG_SCORES,
                sequence_scores=LOG_SCORES,
                novelty_scores=LOG_SCORES,
            )
    return uids


def latest(database, **options):
    with database.read() as conn:
        return [(row.name, row.rowid) for row in latest_scores(conn, **options)]


def test_the_newest_scored_rows_come_with_the_oldest_first(database, uids):
    assert latest(database, limit=3) == [("b", 5), ("a", 6), ("b", 6)]
    assert latest(database, limit=100) == [(name, rowid) for rowid in range(1, 7) for name in "ab"]


@pytest.mark.parametrize(
    ("least", "rowids"),
    [(0.1, [2, 3, 4, 5, 6]), (0.2, [3, 4, 5, 6]), (0.25, [4, 5, 6]), (0.5, [5, 6]), (0.9, [6]), (1.0, [])],
)
def test_scores_from_a_height_on_are_chosen(database, uids, least, rowids):
    assert latest(database, least_log_score=least) == [(name, rowid) for rowid in rowids for name in "ab"]
    assert latest(database, uids=[uids["b"]], least_log_score=least) == [("b", rowid) for rowid in rowids]
    both = [(name, rowid) for rowid in rowids for name in "ab"]
    assert latest(database, uids=list(uids.values()), least_log_score=least) == both


def test_rows_of_one_time_come_by_name(database):
    names = ["c", "a", "d", "b"]
    with database.write() as conn:
        for uid in metrics.create_custom(conn, names).values():
            add_rows(conn, uid, 1)
            score_rows(conn, uid, 1, 1)
    assert latest(database) == [(name, 1) for name in sorted(names)]


def test_a_row_that_alarms_comes_with_its_alarm(database, uids):
    with database.write() as conn:
        alarms.store(conn, [NewAlarm(uids["b"], 6, 1, 6.0, 0.9, why="{}")])
        found = latest_scores(conn, least_log_score=0.5)
    assert [(row.name, row.rowid, row.alarm and row.alarm.why) for row in found] == [
        ("a", 5, None),
        ("b", 5, None),
        ("a", 6, None),
        ("b", 6, "{}"),
    ]
    assert {(row.forecast, row.usual) for row in found} == {(None, None)}


def test_rows_of_one_metric_are_chosen(database, uids):
    assert latest(database, uids=[uids["a"]], limit=2) == [("a", 5), ("a", 6)]
    assert latest(database, uids=["unknown"]) == []
    assert latest(database, uids=[]) == []
    assert latest(database, uids=list(uids.values()), limit=3) == [("b", 5), ("a", 6), ("b", 6)]


@pytest.mark.parametrize(
    ("options", "index"),
    [
        ({}, "merged_row_time_idx"),
        ({"least_log_score": 0.1}, "merged_row_time_idx"),
        ({"least_log_score": 0.5}, "merged_row_notable_idx"),
        ({"uids": ["u"], "least_log_score": 0.5}, "SEARCH sample USING PRIMARY KEY (metric=?"),
        ({"uids": ["u", "v"], "least_log_score": 0.5}, "merged_row_notable_idx"),
    ],
)
def test_no_more_rows_are_read_than_needed(database, uids, options, index):
    if database.dialect != "sqlite":
        return  # it decides by how many rows there are
    executed = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(conn, cursor, statement, parameters, context, executemany):
        if "FROM recent_row" in statement:
            executed.append((statement, parameters))

    latest(database, **options)
    assert executed
    with database.read() as conn:
        for statement, parameters in tuple(executed):
            plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            assert index in str(plan.all())


def test_metrics_are_read_in_pages(database):
    with database.write() as conn:
        metrics.create_custom(conn, list("dbace"))
    with database.read() as conn:
        pages, after = [], None
        while not pages or pages[-1]:
            pages.append([metric.name for metric in overview.page(conn, after, 2)])
            after = pages[-1][-1] if pages[-1] else after
    assert pages == [["a", "b"], ["c", "d"], ["e"], []]


def test_metrics_that_have_something_to_tell_are_read_alone(database):
    rowids = [(0, 0, 0), (9, 9, 0), (9, 7, 0), (9, 0, 9), (9, 0, 7), (9, 11, 0), (9, 3, 5), (5, 3, 5)]
    every = [(status, *some) for status in MetricStatus for some in rowids]
    with database.write() as conn:
        uids = metrics.create_custom(conn, [f"m{number:02}" for number in range(len(every))])
        watermarks.add(conn, list(uids.values()))
        for uid, (status, last, scored, base) in zip(uids.values(), every, strict=True):
            own = schema.metric.c.uid == uid
            changes = {"status": int(status), "last_rowid": last, "base_rowid": base}
            conn.execute(update(schema.metric).where(own).values(**changes))
            watermarks.move(conn, uid, scored_rowid=scored)
    silent = [uids["m01"], uids["m09"], "gone"]
    with database.read() as conn:
        found = overview.noteworthy(conn, silent)
        assert found == [
            metric
            for metric in overview.metrics(conn)
            if metric.failed or metric.waits_for_rows or metric.unscored or metric.uid in silent
        ]
    assert 2 < len(found) < len(every)
