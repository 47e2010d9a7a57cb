from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from htmengine import repository
from htmengine.exceptions import MetricStatisticsNotReadyError
from htmengine.repository import metrics, schema
from tests.unit.repository.rows import add_rows, plan, score_rows

START = datetime(2026, 1, 1)
d = schema.metric_data.c


@pytest.fixture
def conn(database):
    with database.engine.connect() as conn:
        yield conn


def minute(number):
    return START + timedelta(minutes=number)


@pytest.fixture
def rows(conn, uid):
    """Give a metric with ten rows, the first five scored 0.1, 0.2 …"""
    repository.addMetricData(conn, uid, [(float(number), minute(number)) for number in range(1, 11)])
    for number in range(1, 6):
        row = SimpleNamespace(uid=uid, rowid=number)
        fields = {"raw_anomaly_score": number / 10, "anomaly_score": number / 10, "display_value": number}
        repository.updateMetricDataColumns(conn, row, fields)
    return uid


def test_added_data_is_numbered_and_returned(conn, database, uid):
    assert repository.addMetricData(conn, uid, []) == []
    repository.addMetricData(conn, uid, [(0.1, minute(1))])
    added = repository.addMetricData(conn, uid, [(0.5, minute(2)), (3, minute(3))])
    assert added == [
        {"uid": uid, "rowid": 2, "timestamp": minute(2), "metric_value": 0.5},
        {"uid": uid, "rowid": 3, "timestamp": minute(3), "metric_value": 3.0},
    ]
    stored = [dict(row._mapping) for row in repository.getMetricData(conn, uid, fields=list(d)[:4])]
    assert stored[1:] == added
    with database.write() as writer:  # the storer goes on from there
        state = metrics.states(writer, [uid])[uid]
        assert (state.last_rowid, state.tail_timestamp) == (3, int(minute(3).replace(tzinfo=UTC).timestamp()))


def test_times_are_stored_as_whole_seconds_of_utc(conn, uid):
    times = [
        datetime(2026, 1, 1, 2, 3, 4, 999999),
        datetime(2026, 1, 1, 5, tzinfo=timezone(timedelta(hours=2))),
    ]
    added = repository.addMetricData(conn, uid, [(1.0, time) for time in times])
    expected = [datetime(2026, 1, 1, 2, 3, 4), datetime(2026, 1, 1, 3)]
    assert [row["timestamp"] for row in added] == expected
    assert [row.timestamp for row in repository.getMetricData(conn, uid)] == expected


def test_rowids_are_allocated_one_after_another(conn, uid):
    from htmengine.repository import queries

    assert queries.incrementMetricRowid(conn, uid) == 1
    assert queries.incrementMetricRowid(conn, uid, amount=5) == 6
    with pytest.raises(ValueError, match="0"):
        queries.incrementMetricRowid(conn, uid, amount=0)


@pytest.mark.parametrize(
    ("options", "rowids"),
    [
        ({}, range(1, 11)),
        ({"rowid": 3}, [3]),
        ({"rowid": 3, "fromTimestamp": minute(5), "start": 7}, [3]),
        ({"fromTimestamp": minute(3), "toTimestamp": minute(5), "start": 7}, [3, 4, 5]),
        ({"toTimestamp": minute(2)}, [1, 2]),
        ({"start": 3, "stop": 5}, [3, 4, 5]),
        ({"start": 9}, [9, 10]),
        ({"stop": 2}, [1, 2]),
        ({"limit": 2}, [1, 2]),
        ({"score": 0.4}, [4, 5]),
        ({"score": 0}, [1, 2, 3, 4, 5]),
        ({"score": 0.0, "start": 4}, [4, 5]),
        ({"sort": schema.metric_data.c.timestamp.desc(), "limit": 2}, [10, 9]),
        ({"sort": [schema.metric_data.c.anomaly_score.desc(), schema.metric_data.c.rowid], "limit": 1}, [5]),
    ],
)
def test_data_is_chosen_as_documented(conn, rows, options, rowids):
    found = repository.getMetricData(conn, rows, **options)
    assert [row.rowid for row in found] == list(rowids)


def test_notable_scores_are_chosen_by_the_score_that_is_asked_for(conn):
    uid = repository.addMetric(conn)["uid"]
    scores = [0.98, 0.99, 0.995, 1.0]
    repository.addMetricData(conn, uid, [(1.0, minute(i)) for i in range(len(scores))])
    for rowid, score in enumerate(scores, 1):
        repository.updateMetricDataColumns(
            conn, repository.getMetricData(conn, uid, rowid=rowid).first(), {"anomaly_score": score}
        )
    for least, rowids in [(0.975, [1, 2, 3, 4]), (0.985, [2, 3, 4]), (0.99, [2, 3, 4]), (0.991, [3, 4])]:
        assert [row.rowid for row in repository.getMetricData(conn, score=least)] == rowids


def test_notable_scores_are_found_by_an_index(conn):
    query = select(d.uid).where(d.anomaly_score >= 0.995, schema.notable())
    on_sqlite = "run_score_notable_idx", "merged_row_notable_idx"
    for index in on_sqlite if conn.dialect.name == "sqlite" else ("anomaly_score_idx",):
        assert index in plan(conn, query)


def test_data_of_all_metrics_is_given_where_none_is_named(conn, rows):
    other = repository.addMetric(conn)["uid"]
    repository.addMetricData(conn, other, [(1.0, START)])
    assert len(repository.getMetricData(conn).all()) == 11
    assert repository.getMetricData(conn, "unknown").all() == []


def test_data_is_read_to_the_end_before_it_is_returned(conn, rows):
    result = repository.getMetricData(conn, rows, fields=[d.rowid])
    repository.deleteMetric(conn, rows)
    assert [row.rowid for row in result] == list(range(1, 11))


def test_the_newest_scored_rows_come_newest_first(conn, rows):
    found = repository.getMetricDataWithRawAnomalyScoresTail(conn, rows, 2)
    assert isinstance(found, list)
    assert [row.rowid for row in found] == [5, 4]


def test_rows_are_counted(conn, rows):
    assert repository.getMetricDataCount(conn, rows) == 10
    assert repository.getProcessedMetricDataCount(conn, rows) == 5
    assert repository.getUnprocessedModelDataCount(conn) == 0
    repository.setMetricStatus(conn, rows, repository.MetricStatus.ACTIVE)
    assert repository.getUnprocessedModelDataCount(conn) == 5


def test_statistics_need_rows(conn, rows):
    assert repository.getMetricStats(conn, rows) == {"min": 1.0, "max": 10.0}
    with pytest.raises(MetricStatisticsNotReadyError, match="unknown"):
        repository.getMetricStats(conn, "unknown")


def test_metrics_are_sorted_by_the_sum_of_their_highest_bars(conn):
    newest = START + timedelta(hours=10)
    bars = {
        "steady": [(0, 5), (1, 9), (40, 5)],  # 9 of the first block, 5 of another
        "high": [(10, 12)],
        "long ago": [(120, 1000), (119, 1)],  # the period ends where it began
        "unscored": [(0, None)],
    }
    for uid, samples in bars.items():
        repository.addMetric(conn, uid=uid)
        for minutes, bar in samples:
            time = newest - timedelta(minutes=minutes)
            [row] = repository.addMetricData(conn, uid, [(1.0, time)])
            repository.updateMetricDataColumns(conn, SimpleNamespace(**row), {"display_value": bar})
    found = repository.getMetricIdsSortedByDisplayValue(conn, "2")
    assert list(found.items()) == [("steady", 14), ("high", 12), ("long ago", 1), ("unscored", 0)]


def test_metrics_are_sorted_where_there_are_none(conn):
    assert repository.getMetricIdsSortedByDisplayValue(conn, 24) == {}


@pytest.mark.parametrize("period", ["1; DROP TABLE metric", 0, "-1"])
def test_a_period_that_is_none_is_refused(conn, period):
    with pytest.raises(ValueError):  # noqa: PT011
        repository.getMetricIdsSortedByDisplayValue(conn, period)


def test_one_row_is_updated(conn, rows):
    row = repository.getMetricData(conn, rows, rowid=7).first()
    repository.updateMetricDataColumns(conn, row, {"anomaly_score": 0.1 + 0.2})
    repository.updateMetricDataColumns(conn, SimpleNamespace(uid=rows, rowid=99), {"anomaly_score": 1.0})
    assert [row.anomaly_score for row in repository.getMetricData(conn, rows, start=6, stop=8)] == [
        None,
        0.1 + 0.2,
        None,
    ]


def test_what_the_services_store_is_what_the_documented_functions_give(database, conn, uid):
    with database.write() as writer:
        add_rows(writer, uid, 3)
        metrics.start_model(writer, uid, parameters=None, model_params="{}", status=1)
        score_rows(writer, uid, 1, 2)
    rows = repository.getMetricData(conn, uid).all()
    assert [row.raw_anomaly_score for row in rows] == [1.0, 0.5, None]
    assert [row.multi_step_best_predictions for row in rows] == ["null", "null", None]
    assert rows[0].timestamp == datetime.fromtimestamp(1_700_000_060, UTC).replace(tzinfo=None)
