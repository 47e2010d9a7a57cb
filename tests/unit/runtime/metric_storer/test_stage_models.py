"""What goes to the models: rows, the start of models, and what the sweep asks for."""

from itertools import pairwise

import pytest

from htmengine import messages
from htmengine.bus import QueueStatus
from htmengine.exceptions import MetricStatisticsNotReadyError, MetricStatusChangedError
from htmengine.repository import metrics
from htmengine.repository.status import MetricStatus
from tests.unit.runtime.metric_storer.storer import NOW, SHARDS, Storer, at, fed, lines, with_rules


@pytest.mark.parametrize("status", [MetricStatus.ACTIVE, MetricStatus.CREATE_PENDING])
def test_rows_of_a_monitored_metric_go_to_its_shard(storer, status):
    uid = storer.monitor("m", status)
    outcome = storer.process(lines(at(1, 1.5), at(1, name="other"), at(2, 2.5)))
    assert fed(outcome) == [(uid, 1, NOW - 99_999, 1.5), (uid, 2, NOW - 99_998, 2.5)]


@pytest.mark.parametrize("status", [MetricStatus.ERROR, MetricStatus.PENDING_DATA])
def test_rows_of_a_metric_without_a_running_model_are_stored_all_the_same(storer, status):
    uid = storer.monitor("m", MetricStatus.ACTIVE)
    with storer.database.write() as conn:
        metrics.set_status(conn, uid, status)
    assert fed(storer.process(lines(at(1), at(2)))) == []
    assert len(storer.rows("m")) == 2


def test_messages_to_the_models_have_a_bounded_size(storer):
    storer.monitor("m")
    outcome = storer.process(lines(*[at(i) for i in range(1201)]))
    sizes = [len(rows) for it in outcome.best_effort for rows in messages.decode_model_input(it.body)]
    assert sizes == [500, 500, 201]
    assert [rowid for _, rowid, _, _ in fed(outcome)] == list(range(1, 1202))


def test_a_model_that_waits_for_data_is_started_when_there_is_enough_and_gets_a_row(storer):
    uid = storer.monitor("m", MetricStatus.PENDING_DATA)
    storer.process(lines(*[at(i) for i in range(287)]))
    assert storer.models.activated == []

    def activate(metric_id):
        with storer.database.write() as conn:
            metrics.set_status(conn, metric_id, MetricStatus.CREATE_PENDING)

    storer.models.activateModel = activate
    assert fed(storer.process(lines(at(287, 7.0)))) == [(uid, 288, NOW - 100_000 + 287, 7.0)]


@pytest.mark.parametrize("error", [MetricStatisticsNotReadyError, MetricStatusChangedError])
def test_a_model_that_cannot_be_started_yet_costs_no_sample(storer, error):
    storer.monitor("m", MetricStatus.PENDING_DATA)
    asked = []

    def activate(metric_id):
        asked.append(metric_id)
        raise error("not now")

    storer.models.activateModel = activate
    storer.process(lines(*[at(i) for i in range(300)]))
    storer.process(lines(at(300)))
    assert len(storer.rows("m")) == 301
    assert len(asked) == 2


def test_new_metrics_that_a_rule_fits_get_a_model_and_a_row(tmp_path):
    storer = Storer(tmp_path, rules=with_rules(tmp_path, "[all]\npattern = web.*\naction = monitor\n"))

    def monitor(specs):
        uids = [spec["metricSpec"]["uid"] for spec in specs]
        with storer.database.write() as conn:
            metrics.start_models(
                conn, [metrics.NewModel(uid, "{}", "{}", MetricStatus.CREATE_PENDING) for uid in uids]
            )
        return uids

    storer.models.monitorMetrics = monitor
    outcome = storer.process(lines(at(1, 5.0, "web.a"), at(1, name="db.a")))
    assert storer.state("web.a").status == MetricStatus.CREATE_PENDING
    assert storer.state("db.a").status == MetricStatus.UNMONITORED
    assert fed(outcome) == [(storer.state("web.a").uid, 1, NOW - 99_999, 5.0)]
    storer.database.close()


def test_many_new_metrics_get_their_models_some_at_a_time(tmp_path):
    storer = Storer(tmp_path, rules=with_rules(tmp_path, "[all]\npattern = *\naction = monitor\n"))
    storer.process(lines(*[at(1, name=f"m{i}") for i in range(420)]))
    assert len(storer.models.monitored) == 200
    assert storer.stage.poll_interval_s == 0
    storer.process()
    storer.process()
    assert len({spec["metricSpec"]["uid"] for spec in storer.models.monitored}) == 420
    assert storer.stage.poll_interval_s > 0
    storer.database.close()


def test_a_model_that_is_not_confirmed_is_defined_again(storer):
    uid = storer.monitor("m", MetricStatus.CREATE_PENDING)
    storer.process()
    storer.time_passes(5)
    (message,) = storer.process().best_effort
    (asked,) = messages.decode_model_input(message.body)
    assert message.queue == f"input.{messages.shard_of(uid, SHARDS)}"
    assert (asked.uid, asked.generation) == (uid, 0)


def test_a_metric_that_stands_still_is_asked_for_with_its_last_row(storer):
    uid = storer.monitor("m")
    storer.process(lines(at(1), at(2, 7.0)))
    assert fed(storer.process()) == []
    storer.time_passes(5)
    assert fed(storer.process()) == [(uid, 2, NOW - 99_998, 7.0)]
    assert fed(storer.process()) == []


def test_rows_that_the_storer_before_left_without_scores_are_asked_for_at_once(storer):
    uid = storer.monitor("m")
    first = storer.process(lines(at(1), at(2, 7.0)))
    assert all(message.transient for message in first.best_effort)
    storer.start()  # what the one before published was in its memory
    asked = storer.process(lines(at(3)))
    assert fed(asked) == [(uid, 3, NOW - 99_997, 1.0)] * 2
    assert [message.transient for message in asked.best_effort] == [True, False]


def test_rows_whose_input_waits_in_the_queue_are_not_asked_for_when_a_storer_begins(storer):
    uid = storer.monitor("m")
    storer.process(lines(at(1), at(2, 7.0)))
    storer.start()
    storer.queues = [QueueStatus(f"input.{messages.shard_of(uid, SHARDS)}", 1, 0, 2.0, 1)]
    assert fed(storer.process()) == []
    storer.time_passes(5)
    storer.queues = []
    assert fed(storer.process()) == [(uid, 2, NOW - 99_998, 7.0)]


@pytest.mark.parametrize("step", [86_400, -86_400])
def test_a_clock_that_is_set_does_not_stop_the_sweep(storer, step):
    uid = storer.monitor("m")
    storer.process(lines(at(1), at(2, 7.0)))
    storer.process()
    storer.now += step
    storer.time_passes(5)
    assert storer.stage.poll_interval_s == 0
    assert fed(storer.process()) == [(uid, 2, NOW - 99_998, 7.0)]
    assert storer.stage.poll_interval_s == 1.0


def test_the_longer_it_takes_to_look_for_metrics_that_lag_the_rarer_it_is(storer, monkeypatch):
    looks = []

    def slow(conn, **part):
        looks.append(storer.elapsed)
        storer.time_passes(1)
        return []

    monkeypatch.setattr(metrics, "lagging", slow)
    for _ in range(120):
        storer.process()
        storer.time_passes(1)
    behind_the_start = looks[1:]
    assert len(behind_the_start) > 1
    assert all(later - earlier >= 50 for earlier, later in pairwise(behind_the_start))
    before = len(looks)
    storer.process(lines(at(1)))
    storer.stage.process(list(storer.deliver(lines(at(1)), deliveries=2)))  # passed on or not: suspected
    assert len(looks) > before


def test_metrics_that_lag_are_looked_for_in_parts_and_one_that_stands_still_is_found_in_each(
    storer, monkeypatch
):
    monkeypatch.setattr("htmengine.runtime.metric_storer.stage.LAGGING_BATCH_SIZE", 2)
    uids = sorted(storer.monitor(f"m{number}") for number in range(7))
    storer.process(*[lines(at(1, name=f"m{number}")) for number in range(7)])
    storer.process()
    parts = []
    lagging = metrics.lagging

    def noted(conn, **part):
        parts.append((part["after"], part["upto"]))
        storer.time_passes(0.01)  # two hundredths of the time: half a second from one to the next
        return lagging(conn, **part)

    monkeypatch.setattr(metrics, "lagging", noted)
    asked = {}
    for _ in range(30):
        for uid, *_ in fed(storer.process()):
            asked.setdefault(uid, storer.elapsed)
        storer.time_passes(0.5)
    begins = parts.index(("", uids[1]))
    assert parts[begins : begins + 4] == list(pairwise(["", *uids[1::2], None]))
    assert set(asked) == set(uids)
