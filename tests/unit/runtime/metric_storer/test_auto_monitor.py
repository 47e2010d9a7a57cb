import os

import pytest

from htmengine.errors import DependencyUnavailable
from htmengine.exceptions import MetricAlreadyMonitored
from htmengine.repository import metrics
from htmengine.repository.metrics import NewModel
from htmengine.repository.status import MetricStatus
from htmengine.runtime.metric_storer.auto_monitor import MODELS_BATCH_SIZE, AutoMonitor
from htmengine.runtime.metric_storer.monitor_rules import RulesFile
from tests.support.repository import new_repository


class FakeModels:
    """Monitors in the repository, as the adapter does; fails as often as it is told to, and refuses some."""

    def __init__(self, database):
        self.database = database
        self.model = None
        self.monitored = []
        self.failures = []
        self.refusals = {}

    def __call__(self, model):
        self.model = model
        return self

    def monitorMetrics(self, specs):  # noqa: N802
        uids = [spec["metricSpec"]["uid"] for spec in specs]
        with self.database.write() as conn:
            names = [metrics.states(conn, [uid])[uid].name for uid in uids]
            for failure in self.failures[:1]:
                del self.failures[0]
                raise failure
            for name in names:
                if name in self.refusals:
                    raise self.refusals[name]
            metrics.start_models(
                conn, [NewModel(uid, "{}", "{}", MetricStatus.CREATE_PENDING) for uid in uids]
            )
        self.monitored += [(name, self.model) for name in names]
        return uids


@pytest.fixture
def database(tmp_path):
    database = new_repository(tmp_path / "repository.sqlite")
    yield database
    database.close()


@pytest.fixture
def models(database):
    return FakeModels(database)


@pytest.fixture
def automatic(tmp_path, database, models):
    def automatic(text):
        return AutoMonitor(file_of(rules(tmp_path, text)), database, models)

    return automatic


def file_of(path):
    return RulesFile(path, "metric_storer")


def rules(folder, text, *, changed_at=None):
    path = folder / "rules.conf"
    path.write_text(text)
    if changed_at:
        os.utime(path, (changed_at, changed_at))
    return path


def create(database, *names):
    with database.write() as conn:
        uids = metrics.create_custom(conn, names)
        return [metrics.states(conn, [uids[name]])[uids[name]] for name in names]


def names(models):
    return sorted(name for name, _ in models.monitored)


ALL = "[all]\npattern = *\naction = monitor\n"


def test_without_a_file_nothing_is_monitored(database, models):
    found = AutoMonitor(file_of(None), database, models)
    found.created(create(database, "a"))
    assert not found.waiting
    assert found.work() == []
    found.look_at_file()
    assert models.monitored == []


def test_metrics_that_exist_are_monitored_at_the_start(database, models, automatic):
    create(database, "a", "b")
    found = automatic("[a]\npattern = a\naction = monitor\nmodel = nupic\n" + ALL)
    assert found.waiting
    assert len(found.work() + found.work()) == 2  # one set of parameters after the other
    assert not found.waiting
    assert sorted(models.monitored) == [("a", "nupic"), ("b", None)]


def test_a_metric_whose_model_was_deleted_stays_without(database, models, automatic):
    (state,) = create(database, "a")
    with database.write() as conn:
        metrics.start_model(
            conn, state.uid, parameters="{}", model_params="{}", status=MetricStatus.CREATE_PENDING
        )
        metrics.end_model(conn, state.uid)
    assert automatic(ALL).work() == []


def test_work_is_done_a_few_at_a_time(database, models, automatic):
    found = automatic(ALL)
    found.work()
    found.created(create(database, *[f"m{i}" for i in range(MODELS_BATCH_SIZE + 1)]))
    assert len(found.work()) == MODELS_BATCH_SIZE
    assert found.waiting
    assert len(found.work()) == 1
    assert not found.waiting


def test_limits_of_a_rule_and_of_all_hold_also_after_a_new_start(database, models, automatic):
    text = "[limits]\nmetrics = 3\n[a]\npattern = a*\naction = monitor\nlimit = 2\n" + ALL
    create(database, "a1", "a2", "a3", "b1", "b2")
    first = automatic(text)
    first.work()
    assert len(models.monitored) == 3
    assert len([name for name in names(models) if name.startswith("a")]) <= 2
    second = automatic(text)
    second.work()
    second.created(create(database, "a4", "b3"))
    second.work()
    assert len(models.monitored) == 3


def test_metrics_monitored_by_hand_count_when_a_rule_fits_them(database, models, automatic):
    (state,) = create(database, "a1")
    with database.write() as conn:
        metrics.start_model(
            conn, state.uid, parameters="{}", model_params="{}", status=MetricStatus.CREATE_PENDING
        )
    found = automatic("[a]\npattern = a*\naction = monitor\nlimit = 1\n")
    found.created(create(database, "a2"))
    assert found.work() == []


def test_a_changed_file_is_applied_to_all_metrics(database, models, tmp_path):
    path = rules(tmp_path, "[x]\npattern = x\naction = monitor\n", changed_at=1000)
    found = AutoMonitor(file_of(path), database, models)
    found.created(create(database, "a"))
    found.work()
    found.look_at_file()
    assert not found.waiting
    rules(tmp_path, ALL, changed_at=2000)
    found.look_at_file()
    found.work()
    assert names(models) == ["a"]


def test_a_changed_file_with_faults_leaves_the_rules_as_they_were(database, models, tmp_path):
    path = rules(tmp_path, ALL, changed_at=1000)
    found = AutoMonitor(file_of(path), database, models)
    rules(tmp_path, "[x]\n", changed_at=2000)
    found.look_at_file()
    path.unlink()
    found.look_at_file()
    found.created(create(database, "a"))
    found.work()
    assert names(models) == ["a"]


def test_what_is_away_makes_nothing_forgotten(database, models, automatic):
    create(database, "a", "b")
    found = automatic(ALL)
    models.failures = [DependencyUnavailable("away")]
    with pytest.raises(DependencyUnavailable):
        found.work()
    found.work()
    assert names(models) == ["a", "b"]


def test_what_is_away_counts_against_no_limit(database, models, automatic):
    create(database, "a", "b")
    found = automatic("[limits]\nmetrics = 2\n" + ALL)
    models.failures = [DependencyUnavailable("away")] * 3
    for _ in range(3):
        with pytest.raises(DependencyUnavailable):
            found.work()
    found.work()
    assert names(models) == ["a", "b"]


def test_a_metric_that_cannot_be_monitored_costs_no_other(database, models, automatic):
    create(database, "a", "b", "c", "d")
    models.refusals = {"b": MetricAlreadyMonitored("it is", uid="u"), "c": ValueError("no")}
    assert len(automatic(ALL).work()) == 2
    assert names(models) == ["a", "d"]


def test_one_that_somebody_else_monitors_counts_and_one_that_cannot_be_does_not(database, models, automatic):
    found = automatic("[limits]\nmetrics = 2\n" + ALL)
    found.work()
    found.created(create(database, "a", "b", "c", "d"))
    models.refusals = {"a": ValueError("no"), "b": MetricAlreadyMonitored("it is", uid="u")}
    found.work()
    assert names(models) == ["c"]
