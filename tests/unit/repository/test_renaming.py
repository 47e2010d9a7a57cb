import json

import pytest

from htmengine.repository import backfill, gathered_samples, metrics, renaming
from htmengine.repository.status import MetricStatus


def test_a_metric_keeps_everything_but_its_name(database):
    with database.write() as conn:
        uid = metrics.create_custom(conn, ["before"])["before"]
        parameters = json.dumps(
            {"datasource": "custom", "metricSpec": {"metric": "before", "userInfo": {"x": 1}}}
        )
        metrics.start_model(conn, uid, parameters=parameters, model_params="{}", status=MetricStatus.ACTIVE)
        gathered_samples.store(conn, [gathered_samples.Gathered(None, "before", "sent", 60, 1.5)])
        state = metrics.states_by_name(conn, ["before"])["before"]
    with database.write() as conn:
        assert renaming.rename(conn, uid, "After")
    with database.read() as conn:
        assert metrics.states_by_name(conn, ["before"]) == {}
        assert metrics.states_by_name(conn, ["After"]) == {"After": state._replace(name="After")}
        described = metrics.descriptions(conn, [uid])[uid]
        assert json.loads(described.parameters)["metricSpec"] == {"metric": "After", "userInfo": {"x": 1}}
        assert described.server == "After"
        assert set(gathered_samples.newest(conn)) == {"After"}


def test_a_name_that_is_there_is_not_given_again(database):
    with database.write() as conn:
        uids = metrics.create_custom(conn, ["a", "b", "A"])
        assert not renaming.rename(conn, uids["a"], "b")
        assert not renaming.rename(conn, "nobody", "c")
        assert not renaming.rename(conn, uids["a"], "a")
        assert set(metrics.states_by_name(conn, ["a", "b", "A", "c"])) == {"a", "b", "A"}
        with pytest.raises(ValueError, match="1 to 255"):
            renaming.rename(conn, uids["a"], "x" * 256)


def test_a_metric_whose_history_is_being_sent_keeps_its_name(database):
    with database.write() as conn:
        uid = metrics.create_custom(conn, ["a"])["a"]
        backfill.begin(conn, "a", "token", 0)
        assert not renaming.rename(conn, uid, "b")
        backfill.end(conn, "a", "token")
        assert renaming.rename(conn, uid, "b")


@pytest.mark.parametrize("parameters", [None, "", "[]", "{}", "not JSON"])
def test_what_is_known_of_a_model_may_say_nothing(database, parameters):
    with database.write() as conn:
        uid = metrics.create_custom(conn, ["a"])["a"]
        if parameters is not None:
            metrics.start_model(
                conn, uid, parameters=parameters, model_params="{}", status=MetricStatus.ACTIVE
            )
        assert renaming.rename(conn, uid, "b")
