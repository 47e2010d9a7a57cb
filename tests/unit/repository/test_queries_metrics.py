from datetime import datetime

import pytest

from htmengine import repository
from htmengine.exceptions import ObjectNotFoundError
from htmengine.repository import MetricStatus, OperationLock, metrics, schema
from tests.unit.repository.rows import add_rows, score_rows

c = schema.metric.c

IMPATIENT = {
    "sqlite": "PRAGMA busy_timeout = 0",
    "mysql": "SET SESSION innodb_lock_wait_timeout = 0",
    "postgresql": "SET lock_timeout = '1ms'",
}


@pytest.fixture
def conn(database):
    with database.engine.connect() as conn:
        yield conn


def test_an_added_metric_is_there_for_others_at_once_and_has_the_defaults_of_its_columns(conn, database):
    added = repository.addMetric(conn, name="a", datasource="custom")
    assert len(added["uid"]) == 32
    assert (added["status"], added["poll_interval"], added["last_rowid"]) == (0, 60, 0)
    with database.engine.connect() as other:
        row = repository.getMetric(other, added["uid"])
        assert {name: row._mapping[name] for name in added} == added


def test_everything_given_is_inserted(conn):
    given = {
        "uid": "u",
        "datasource": "custom",
        "name": "n",
        "description": "d",
        "server": "s",
        "location": "l",
        "parameters": "{}",
        "status": MetricStatus.ERROR,
        "message": "m",
        "collector_error": "e",
        "last_timestamp": datetime(2026, 1, 2, 3, 4, 5),
        "poll_interval": 5,
        "tag_name": "t",
        "model_params": "{}",
        "last_rowid": 7,
    }
    assert repository.addMetric(conn, **given) == given
    row = repository.getMetric(conn, "u")._mapping
    assert {name: row[name] for name in given} == given


def test_functions_join_the_transaction_of_the_caller(conn):
    transaction = conn.begin()
    repository.addMetric(conn, uid="u")
    repository.setMetricStatus(conn, "u", MetricStatus.ERROR)
    transaction.rollback()
    with pytest.raises(ObjectNotFoundError):
        repository.getMetric(conn, "u")


def test_a_transaction_can_begin_after_a_function_ran(conn):
    repository.addMetric(conn, uid="u")
    with conn.begin():
        repository.getMetric(conn, "u")


def test_only_the_columns_that_are_asked_for_come(conn, uid):
    row = repository.getMetric(conn, uid, fields=[c.uid, c.name])
    assert row == (uid, "some.metric")
    assert row.name == "some.metric"
    assert repository.getCustomMetricByName(conn, "some.metric", fields=[c.uid]).uid == uid


def test_custom_metrics_are_found_by_their_exact_name(conn, uid):
    repository.addMetric(conn, uid="other", name="cpu", datasource="cloudwatch")
    for name in ("Some.metric", "cpu", "unknown"):
        with pytest.raises(ObjectNotFoundError, match=name):
            repository.getCustomMetricByName(conn, name)
    assert [row.uid for row in repository.getCustomMetrics(conn)] == [uid]


def test_lists_of_metrics_hold_what_their_names_say(conn):
    repository.addMetric(conn, uid="1", server="s")
    repository.addMetric(conn, uid="2", server="s", status=MetricStatus.PENDING_DATA)
    repository.addMetric(conn, uid="3", server="t", status=MetricStatus.ACTIVE)
    assert [row.uid for row in repository.getAllMetrics(conn)] == ["1", "2", "3"]
    assert repository.getAllMetrics(conn, fields=[c.uid]).fetchall() == [("1",), ("2",), ("3",)]
    assert [row.uid for row in repository.getAllMetricsForServer(conn, "s")] == ["1", "2"]
    assert [row.uid for row in repository.getAllModels(conn)] == ["2", "3"]


@pytest.mark.parametrize(
    "question",
    [
        lambda conn: repository.getMetric(conn, "unknown"),
        lambda conn: repository.getMetricWithSharedLock(conn, "unknown"),
        lambda conn: repository.getMetricWithUpdateLock(conn, "unknown"),
        lambda conn: repository.deleteMetric(conn, "unknown"),
        lambda conn: repository.deleteModel(conn, "unknown"),
        lambda conn: repository.setMetricStatus(conn, "unknown", 1),
        lambda conn: repository.setMetricStatus(conn, "unknown", 1, refStatus=0),
        lambda conn: repository.setMetricCollectorError(conn, "unknown", "x"),
        lambda conn: repository.setMetricLastTimestamp(conn, "unknown", None),
        lambda conn: repository.addMetricData(conn, "unknown", [(1.0, datetime(2026, 1, 1))]),
    ],
)
def test_a_metric_that_is_not_there_is_an_error(conn, question):
    with pytest.raises(ObjectNotFoundError, match="unknown"):
        question(conn)


def test_a_locked_metric_is_not_changed_by_others(database, conn, uid):
    with conn.begin():
        assert repository.getMetricWithUpdateLock(conn, uid).uid == uid
        other = database.engine.connect()
        other.exec_driver_sql(IMPATIENT[other.dialect.name])
        other.commit()
        with pytest.raises(Exception, match=r"[lL]ock"):
            repository.setMetricStatus(other, uid, MetricStatus.ERROR)
        assert repository.getMetric(other, uid).status == 0
        other.invalidate()
        other.close()
    repository.setMetricStatus(conn, uid, MetricStatus.ERROR)


def test_a_deleted_metric_takes_its_data_with_it(database, conn, uid):
    with database.write() as writer:
        add_rows(writer, uid, 3)
    assert repository.deleteMetric(conn, uid).rowcount == 1
    assert repository.getMetricDataCount(conn, uid) == 0


def test_a_deleted_model_leaves_its_metric_and_the_data_without_scores(database, conn, uid):
    with database.write() as writer:
        add_rows(writer, uid, 3)
        metrics.start_model(writer, uid, parameters="{}", model_params="{}", status=1, server="s")
        score_rows(writer, uid, 1, 3)
    repository.setMetricCollectorError(conn, uid, "error")
    repository.deleteModel(conn, uid)
    row = repository.getMetric(conn, uid)
    assert (row.status, row.parameters, row.model_params, row.message) == (0, None, None, None)
    assert (row.server, row.collector_error, row.generation) == ("s", "error", 1)
    assert repository.getMetricDataCount(conn, uid) == 3
    assert repository.getProcessedMetricDataCount(conn, uid) == 0


def test_a_deleted_model_takes_scores_along_that_an_application_wrote(conn, uid):
    repository.addMetricData(conn, uid, [(1.0, datetime(2026, 1, 1)), (2.0, datetime(2026, 1, 2))])
    row = repository.getMetricData(conn, uid, rowid=2).one()
    repository.updateMetricDataColumns(conn, row, {"anomaly_score": 0.5, "display_value": 7})
    repository.deleteModel(conn, uid)
    row = repository.getMetricData(conn, uid, rowid=2).one()
    assert (row.metric_value, row.anomaly_score, row.display_value) == (2.0, None, None)


def test_a_status_is_set_with_its_message_which_is_cleared_by_default(conn, uid):
    repository.setMetricStatus(conn, uid, MetricStatus.ERROR, "broken")
    assert repository.getMetric(conn, uid, [c.status, c.message]) == (4, "broken")
    repository.setMetricStatus(conn, uid, MetricStatus.ACTIVE, refStatus=MetricStatus.UNMONITORED)
    assert repository.getMetric(conn, uid, [c.status, c.message]) == (4, "broken")
    repository.setMetricStatus(conn, uid, MetricStatus.ACTIVE, refStatus=MetricStatus.ERROR)
    assert repository.getMetric(conn, uid, [c.status, c.message]) == (1, None)


def test_columns_of_metrics_are_set(conn, uid):
    time = datetime(2026, 1, 2, 3, 4, 5)
    repository.setMetricLastTimestamp(conn, uid, time)
    repository.setMetricCollectorError(conn, uid, "x")
    repository.updateMetricColumns(conn, uid, {"tag_name": "t", "status": MetricStatus.ACTIVE})
    repository.updateMetricColumnsForRefStatus(conn, uid, MetricStatus.ERROR, {"location": "no"})
    repository.updateMetricColumnsForRefStatus(conn, uid, MetricStatus.ACTIVE, {"description": "yes"})
    repository.updateMetricColumns(conn, "unknown", {"tag_name": "t"})
    row = repository.getMetric(conn, uid)
    assert (row.last_timestamp, row.collector_error, row.tag_name, row.status) == (time, "x", "t", 1)
    assert (row.location, row.description) == ("", "yes")


def test_an_operation_is_locked_in_a_transaction_that_knows_its_row(conn):
    with pytest.raises(AssertionError, match="transaction"):
        repository.lockOperationExclusive(conn, OperationLock.METRICS)
    with conn.begin():
        repository.lockOperationExclusive(conn, OperationLock.METRICS)
        conn.execute(schema.lock.delete())
        with pytest.raises(AssertionError, match="metrics"):
            repository.lockOperationExclusive(conn, OperationLock.METRICS)
