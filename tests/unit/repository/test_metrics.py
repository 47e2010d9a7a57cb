import threading

import pytest
from sqlalchemy import func, select, text

from htmengine.exceptions import MetricStatusChangedError, ObjectNotFoundError
from htmengine.repository import hours, identity, metrics, samples, schema, scores
from htmengine.repository.status import MetricStatus
from tests.unit.repository.rows import FIRST_SECOND, add_rows, add_scored, plan, score_rows


def test_a_metric_that_comes_in_as_samples_has_the_documented_columns(database):
    with database.write() as conn:
        uids = metrics.create_custom(conn, ["a.b", "a.b"])
        row = conn.execute(select(schema.metric)).one()
    assert uids == {"a.b": row.uid}
    assert len(row.uid) == 32
    assert row[1:6] == ("custom", "a.b", "Custom metric a.b", "a.b", "")
    assert (row.status, row.poll_interval, row.last_rowid) == (0, 300, 0)
    assert (row.parameters, row.model_params, row.message) == (None, None, None)
    assert (row.generation, row.base_rowid, row.tail_timestamp) == (0, 0, None)


def test_a_metric_that_is_there_is_not_created_again(database, uid):
    with database.write() as conn:
        assert metrics.create_custom(conn, ["some.metric", "new"])["some.metric"] == uid
        assert conn.scalar(select(func.count()).select_from(schema.metric)) == 2


def test_upper_and_lower_case_are_different_metrics(database, uid):
    with database.write() as conn:
        created = metrics.create_custom(conn, ["Some.Metric"])
        assert created["Some.Metric"] != uid
        assert list(metrics.states_by_name(conn, ["some.metric"])) == ["some.metric"]


def test_a_name_of_255_characters_is_found_again(database):
    names = ["ä" * 254 + end for end in "xy"]
    with database.write() as conn:
        uids = metrics.create_custom(conn, names)
        assert metrics.create_custom(conn, names) == uids
        rows = conn.execute(select(schema.metric)).all()
    assert len({row.server for row in rows}) == 2
    assert all(len(row.server) == 100 and len(row.description) == 200 for row in rows)


@pytest.mark.parametrize("name", ["", "x" * 256])
def test_a_name_that_no_column_holds_is_refused_and_creates_nothing(database, name):
    with database.write() as conn:
        with pytest.raises(ValueError, match="characters"):
            metrics.create_custom(conn, ["good", name])
        assert metrics.states_by_name(conn, ["good"]) == {}


def test_threads_that_meet_a_new_name_create_one_metric(database):
    found = []

    def create():
        for number in range(20):
            with database.write() as conn:
                found.append(metrics.create_custom(conn, [f"metric.{number}"]))

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({uid for uids in found for uid in uids.values()}) == 20


def test_metrics_are_created_where_an_application_made_no_lock_row(database):
    with database.write() as conn:
        conn.execute(schema.lock.delete())
        metrics.create_custom(conn, ["a"])
        assert conn.scalars(select(schema.lock.c.name)).all() == ["metrics"]


def test_states_of_thousands_of_metrics_are_found(database):
    names = [f"metric.{number}" for number in range(1201)]
    with database.write() as conn:
        uids = metrics.create_custom(conn, names)
        assert set(metrics.states_by_name(conn, names)) == set(names)
        assert set(metrics.states(conn, [*uids.values(), "unknown"])) == set(uids.values())


def test_of_two_metrics_of_one_name_everybody_takes_the_same(database):
    with database.write() as conn:
        for uid in ("2", "1", "3"):
            conn.execute(schema.metric.insert().values(uid=uid, name="twice", datasource="custom"))
        assert metrics.states_by_name(conn, ["twice"])["twice"].uid == "1"


def test_metrics_of_other_data_sources_are_not_custom(database):
    with database.write() as conn:
        conn.execute(schema.metric.insert().values(uid="1", name="cpu", datasource="cloudwatch"))
        assert metrics.states_by_name(conn, ["cpu"]) == {}
        assert metrics.states(conn, ["1"])["1"].datasource == "cloudwatch"


def test_a_status_is_set_only_where_it_is_as_expected(database, uid):
    with database.write() as conn:
        assert metrics.set_status(conn, uid, MetricStatus.ERROR, message="broken", expected=0)
        assert not metrics.set_status(conn, uid, MetricStatus.ACTIVE, expected=MetricStatus.CREATE_PENDING)
        assert not metrics.set_status(conn, "unknown", MetricStatus.ACTIVE)
        row = conn.execute(select(schema.metric.c.status, schema.metric.c.message)).one()
        assert row == (4, "broken")
        assert metrics.set_status(conn, uid, MetricStatus.ACTIVE)
        assert conn.scalar(select(schema.metric.c.message)) is None


def start(conn, uid, status=MetricStatus.CREATE_PENDING):
    metrics.start_model(conn, uid, parameters="{}", model_params='{"a": 1}', status=status, server="a server")


def test_a_model_is_described(database, uid):
    with database.write() as conn:
        start(conn, uid)
        assert metrics.definitions(conn, [uid, "unknown"]) == {
            uid: metrics.Definition(0, 2, 0, 0, 0, '{"a": 1}', model_digest=identity.of('{"a": 1}', 0))
        }
        assert metrics.descriptions(conn, [uid]) == {
            uid: metrics.Description(
                uid, "some.metric", "Custom metric some.metric", "a server", "", "custom", "{}"
            )
        }


def test_models_of_several_metrics_begin_each_at_its_own_row_and_with_its_own_resource(database):
    with database.write() as conn:
        uids = list(metrics.create_custom(conn, ["empty", "whole", "holed", "again"]).values())
        for uid, rows in zip(uids, (0, 5, 6, 7), strict=True):
            if rows:
                add_rows(conn, uid, rows)
        hole = (schema.metric_data.c.uid == uids[2]) & (schema.metric_data.c.rowid == 4)
        conn.execute(schema.metric_data.delete().where(hole))
        start(conn, uids[3])
        score_rows(conn, uids[3], 1, 7)
        metrics.end_model(conn, uids[3])
        servers = [None, "a", None, "b"]
        metrics.start_models(
            conn,
            [
                metrics.NewModel(uid, f"{{{place}}}", "{}", MetricStatus.CREATE_PENDING, server)
                for place, (uid, server) in enumerate(zip(uids, servers, strict=True))
            ],
        )
        states = metrics.states(conn, uids)
        assert [states[uid][3:8] for uid in uids] == [
            (2, 0, 0, 0, 0),
            (2, 0, 0, 5, 0),
            (2, 0, 4, 6, 4),
            (2, 1, 0, 7, 0),
        ]
        described = metrics.descriptions(conn, uids)
        assert [described[uid].server for uid in uids] == ["empty", "a", "holed", "b"]
        assert [described[uid].parameters for uid in uids] == ["{0}", "{1}", "{2}", "{3}"]
        assert scores.stored(conn, uids[3], 1, 7) == []


@pytest.mark.parametrize("error", [ObjectNotFoundError, MetricStatusChangedError])
def test_of_several_models_all_are_started_or_none(database, uid, error):
    with database.write() as conn:
        other = metrics.create_custom(conn, ["other"])["other"]
        if error is MetricStatusChangedError:
            start(conn, other)
        else:
            other = "unknown"
    models = [metrics.NewModel(one, "{}", "{}", MetricStatus.ACTIVE) for one in (uid, other)]
    with pytest.raises(error, match=other), database.write() as conn:
        metrics.start_models(conn, models)
    with database.read() as conn:
        assert metrics.states(conn, [uid])[uid].status == MetricStatus.UNMONITORED


def test_statuses_are_changed_only_where_they_are_as_they_were_read(database):
    with database.write() as conn:
        a, b, c = metrics.create_custom(conn, ["a", "b", "c"]).values()
        conn.execute(schema.metric.update().where(schema.metric.c.uid == b).values(status=None))
        changes = [
            metrics.StatusChange(a, 0, 0, 4, "broken"),
            metrics.StatusChange(b, 0, 0, 1, None),  # an older application may have left no status
            metrics.StatusChange(c, 0, 2, 1, None),
            metrics.StatusChange(c, 1, 0, 1, None),
        ]
        assert metrics.change_statuses(conn, changes) == 2
        assert metrics.change_statuses(conn, []) == 0
        query = select(schema.metric.c.status, schema.metric.c.message).order_by(schema.metric.c.name)
        assert conn.execute(query).all() == [(4, "broken"), (1, None), (0, None)]


def test_a_model_begins_at_the_oldest_row_that_is_left(database, uid):
    with database.write() as conn:
        add_rows(conn, uid, 10)
        conn.execute(schema.metric_data.delete().where(schema.metric_data.c.rowid <= 4))
        start(conn, uid)
        assert metrics.states(conn, [uid])[uid][5:8] == (4, 10, 4)


@pytest.mark.parametrize(("missing", "base"), [([], 0), ([1, 2], 2), ([3], 3), ([3, 7, 8], 8), ([9], 9)])
def test_a_model_begins_behind_the_last_row_that_is_missing(database, uid, missing, base):
    with database.write() as conn:
        add_rows(conn, uid, 10)
        add_rows(conn, metrics.create_custom(conn, ["another"])["another"], 10)
        gone = schema.metric_data.c.uid == uid, schema.metric_data.c.rowid.in_(missing)
        conn.execute(schema.metric_data.delete().where(*gone))
        start(conn, uid)
        assert metrics.states(conn, [uid])[uid].base_rowid == base


def test_a_model_of_a_metric_without_rows_begins_after_those_that_were_removed(database, uid):
    with database.write() as conn:
        add_rows(conn, uid, 10)
        conn.execute(schema.metric_data.delete())
        start(conn, uid)
        assert metrics.states(conn, [uid])[uid][5:8] == (10, 10, 10)


def test_a_second_model_is_refused_and_so_is_one_of_no_metric(database, uid):
    with database.write() as conn:
        start(conn, uid, MetricStatus.PENDING_DATA)
        start(conn, uid)
        with pytest.raises(MetricStatusChangedError):
            start(conn, uid)
        with pytest.raises(ObjectNotFoundError):
            start(conn, "unknown")
        with pytest.raises(ObjectNotFoundError):
            metrics.clear_model(conn, "unknown")


def test_a_cleared_model_leaves_rows_without_scores_and_a_new_generation(database, uid):
    with database.write() as conn:
        add_rows(conn, uid, 20)
        start(conn, uid)
        score_rows(conn, uid, 1, 15)
        assert metrics.clear_model(conn, uid) == 1
        found = metrics.definitions(conn, [uid])[uid]._replace(tail_timestamp=None)
        assert found == metrics.Definition(1, 0, 0, 20, 0, None)
        assert scores.stored(conn, uid, 1, 20) == []
        nulls = " AND ".join(f"{name} IS NULL" for name in schema.SCORES)
        assert conn.scalar(text(f"SELECT count(*) FROM metric_data WHERE {nulls}")) == 20
        assert samples.stored_range(conn, uid) == samples.Range(1, 20, 20)


def test_while_scores_are_cleared_in_steps_the_watermark_agrees_with_them(database, uid):
    with database.write() as conn:
        add_rows(conn, uid, 20)
        start(conn, uid)
        score_rows(conn, uid, 1, 15)
        metrics.end_model(conn, uid)
    left, more = [], True
    while more:
        with database.write() as conn:
            more = metrics.clear_scores(conn, uid, limit=6)
            left.append(metrics.states(conn, [uid])[uid].scored_rowid)
            assert [row.rowid for row in scores.stored(conn, uid, 1, 20)] == list(range(1, left[-1] + 1))
    assert left == [9, 3, 0]


def test_a_new_model_clears_what_an_interrupted_clearing_left(database, uid):
    with database.write() as conn:
        add_rows(conn, uid, 20)
        start(conn, uid)
        score_rows(conn, uid, 1, 15)
        metrics.end_model(conn, uid)
        metrics.clear_scores(conn, uid, limit=6)
        start(conn, uid)
        assert scores.stored(conn, uid, 1, 20) == []
        assert metrics.states(conn, [uid])[uid][4:8] == (1, 0, 20, 0)


def test_the_scores_of_a_running_model_are_never_cleared(database, uid):
    with database.write() as conn:
        add_rows(conn, uid, 5)
        start(conn, uid)
        score_rows(conn, uid, 1, 5)
        assert not metrics.clear_scores(conn, uid)
        assert len(scores.stored(conn, uid, 1, 5)) == 5


def test_metrics_lag_when_they_have_a_model_and_rows_without_scores(database):
    with database.write() as conn:
        uids = metrics.create_custom(conn, list("abcdef"))
        for name in "abcde":
            add_rows(conn, uids[name], 3)
        for name, status in zip("abcf", (1, 2, 1, 1), strict=True):
            start(conn, uids[name], status)
        start(conn, uids["d"], MetricStatus.ERROR)
        score_rows(conn, uids["a"], 1, 3)
        score_rows(conn, uids["b"], 1, 2)
    with database.read() as conn:
        assert {state.name for state in metrics.lagging(conn, limit=10)} == {"b", "c"}
        assert len(metrics.lagging(conn, limit=1)) == 1
        assert [state.name for state in metrics.pending(conn)] == ["b"]


def test_metrics_whose_model_is_not_confirmed_are_found_by_an_index(database):
    query = select(schema.metric.c.uid).where(schema.pending()).order_by(schema.metric.c.uid)
    with database.read() as conn:
        assert "metric_pending_idx" in plan(conn, query)


def test_a_metric_is_deleted_in_parts_with_its_rows_alarms_and_hours(database, uid):
    with database.write() as conn:
        other = metrics.create_custom(conn, ["other"])["other"]
        for one in (uid, other):
            add_scored(conn, one, [FIRST_SECOND + i for i in range(5)], [1.0] * 5, [0.1, 0.1, 0.9, 0.9, 0.9])
            hours.store(conn, [hours.summed_to(conn, one, 0, 0, 5)])
    parts = [True]
    while parts[-1]:
        with database.write() as conn:
            parts.append(metrics.delete_metric(conn, uid, limit=2))
    assert len(parts) > 4
    with database.read() as conn:
        for table in (schema.metric, schema.metric_data, schema.metric_alarm, schema.metric_hour):
            assert set(conn.scalars(select(table.c.uid))) == {other}
