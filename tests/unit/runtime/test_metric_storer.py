from contextlib import contextmanager
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from htmengine import config, messages
from htmengine.bus import Delivery, QueueStatus
from htmengine.errors import DependencyAway
from htmengine.exceptions import MetricStatisticsNotReadyError, MetricStatusChangedError
from htmengine.repository import backfill, metrics, migrations, samples, schema
from htmengine.repository.engine import open_engine, reading, writing
from htmengine.repository.errors import RepositoryUnavailable
from htmengine.repository.status import MetricStatus
from htmengine.runtime import holding, metric_storer, plaintext
from htmengine.runtime.automatic import AutomaticMonitoring
from htmengine.runtime.metric_storer import FUTURE, MetricStorer
from tests.support.concurrency import write_first

NOW = 1_700_000_000
SHARDS = 4


class Killed(BaseException):
    """The process dies here."""


class FakeModels:
    """Notes which models were to be started."""

    def __init__(self):
        self.activated = []
        self.monitored = []

    def monitorMetric(self, spec):  # noqa: N802
        self.monitored.append(spec)
        return spec["metricSpec"]["uid"]

    def activateModel(self, metric_id):  # noqa: N802
        self.activated.append(metric_id)


class Storer:
    """A storer with its repository, and everything around it in hand."""

    def __init__(self, folder, **settings):
        self.engine = open_engine(config.Repository(path=folder / "repository.sqlite"))
        migrations.upgrade(self.engine, SHARDS)
        self.settings = config.Storer(**settings)
        self.models = FakeModels()
        self.now = float(NOW)
        self.queues = []
        self.steps = []
        self.dies_at = None
        self.tag = 0
        self.start()

    def start(self):
        self.stage = MetricStorer(
            self.settings,
            queue="data",
            input_queue="input.{}".format,
            results_queue="results.{}".format,
            queues_now=lambda: self.queues,
            engine=self.engine,
            shards=SHARDS,
            models=self.models,
            automatic=AutomaticMonitoring(self.settings.rules, self.engine, lambda model: self.models),
            clock=lambda: self.now,
            step=self.step,
        )

    def step(self, name):
        self.steps.append(name)
        if name == self.dies_at:
            raise Killed

    def deliver(self, *bodies, deliveries=1):
        for body in bodies:
            self.tag += 1
            yield Delivery("data", body, {}, deliveries, 1, self.tag)

    def process(self, *bodies, deliveries=1):
        return self.stage.process(list(self.deliver(*bodies, deliveries=deliveries)))

    def state(self, name):
        with reading(self.engine) as conn:
            return metrics.states_by_name(conn, [name]).get(name)

    def rows(self, name):
        state = self.state(name)
        if state is None:
            return []
        with reading(self.engine) as conn:
            rows = samples.read(conn, state.uid, 0, 1 << 30, 1 << 30)
        assert rows.rowids == list(range(1, len(rows.rowids) + 1))
        assert state.last_rowid == len(rows.rowids)
        return list(zip(rows.timestamps, rows.values, strict=True))

    def monitor(self, name, status=MetricStatus.ACTIVE):
        with writing(self.engine) as conn:
            uid = metrics.create_custom(conn, [name])[name]
            metrics.start_model(conn, uid, parameters="{}", model_params="{}", status=status)
        return uid


@pytest.fixture
def storer(tmp_path):
    storer = Storer(tmp_path)
    yield storer
    storer.engine.dispose()


def lines(*texts, **options):
    return messages.encode_json(messages.MetricLines(protocol="plain", data=list(texts), **options))


def at(second, value=1.0, name="m"):
    return f"{name} {value} {NOW - 100_000 + second}"


def fed(outcome):
    """Return the rows that go to models: (uid, rowid, timestamp, value)."""
    rows = []
    for queue, body in outcome.offered:
        message = messages.decode_model_input(body)
        if isinstance(message, messages.Samples):
            for uid, rowid, timestamp, value in zip(
                message.uids, message.rowids, message.timestamps, message.values, strict=True
            ):
                assert queue == f"input.{messages.shard_of(uid, SHARDS)}"
                rows.append((uid, rowid, timestamp, value))
    return rows


def test_a_line_becomes_a_row_of_a_new_metric(storer):
    outcome = storer.process(lines("test.metric 4.0 1386792175"))
    assert storer.rows("test.metric") == [(1386792175, 4.0)]
    assert storer.state("test.metric").status == MetricStatus.UNMONITORED
    assert outcome.dead_letters == () or outcome.dead_letters == []
    assert fed(outcome) == []


def test_a_message_that_is_no_message_is_set_aside_and_its_neighbours_are_stored(storer):
    good, also_good = lines(at(1)), lines(at(2))
    bad = [
        b"{",
        b"[]",
        b'{"protocol": "plain"}',
        b'{"protocol": "plain", "data": [7]}',
        b'{"protocol": "pickle", "data": ["m 1 2"]}',
    ]
    outcome = storer.process(good, *bad, also_good)
    assert [delivery.body for delivery, _ in outcome.dead_letters] == bad
    assert all(reason for _, reason in outcome.dead_letters)
    assert "pickle" in outcome.dead_letters[-1][1]
    assert len(storer.rows("m")) == 2


def test_a_bad_line_is_counted_with_its_reason_and_costs_no_other_line(storer):
    storer.process(lines(at(1), "m 1 12:30PM", "nonsense", "m nan 1", at(2)))
    assert len(storer.rows("m")) == 2
    counted = storer.stage.counters.snapshot()
    assert counted["lines"] == 5
    assert counted["stored"] == 2
    assert {reason: found["examples"] for reason, found in counted["rejected"].items()} == {
        plaintext.TIMESTAMP: ["m 1 12:30PM"],
        plaintext.FIELDS: ["nonsense"],
        plaintext.NOT_FINITE: ["m nan 1"],
    }


def test_samples_of_many_metrics_in_many_messages_are_numbered_for_each_metric(storer):
    storer.process(lines(at(1, name="a"), at(1, name="b"), at(2, name="a")), lines(at(3, name="a")))
    storer.process(lines(at(2, name="b"), at(4, name="a")))
    assert [second - NOW + 100_000 for second, _ in storer.rows("a")] == [1, 2, 3, 4]
    assert len(storer.rows("b")) == 2


def test_names_that_differ_in_case_are_two_metrics(storer):
    storer.process(lines(at(1, name="Load"), at(1, name="load")))
    assert storer.state("Load").uid != storer.state("load").uid


def test_fractions_of_a_second_are_dropped_and_then_the_first_value_wins(storer):
    storer.process(lines("m 1 1600000000.2", "m 2 1600000000.9", "m 3 1600000001.0"))
    assert storer.rows("m") == [(1600000000, 1.0), (1600000001, 3.0)]


def test_a_sample_of_the_far_future_is_refused_and_does_not_block_the_metric(storer):
    storer.process(lines(f"m 1 {NOW + 3601}", f"m 2 {NOW + 3600}"))
    assert storer.rows("m") == [(NOW + 3600, 2.0)]
    storer.now += 2
    storer.process(lines(f"m 3 {NOW + 3602}"))
    assert len(storer.rows("m")) == 2
    assert storer.stage.counters.snapshot()["rejected"][FUTURE]["count"] == 1


def test_what_is_older_than_a_row_that_was_removed_is_refused(storer):
    storer.process(lines(at(1), at(2), at(3)))
    with writing(storer.engine) as conn:
        conn.execute(schema.metric_data.delete())
    storer.process(lines(at(2), at(3), at(4)))
    with reading(storer.engine) as conn:
        assert samples.read(conn, storer.state("m").uid, 0, 99, 99).rowids == [4]


@pytest.mark.parametrize("status", [MetricStatus.ACTIVE, MetricStatus.CREATE_PENDING])
def test_rows_of_a_monitored_metric_go_to_its_shard(storer, status):
    uid = storer.monitor("m", status)
    outcome = storer.process(lines(at(1, 1.5), at(1, name="other"), at(2, 2.5)))
    assert fed(outcome) == [(uid, 1, NOW - 99_999, 1.5), (uid, 2, NOW - 99_998, 2.5)]


@pytest.mark.parametrize("status", [MetricStatus.ERROR, MetricStatus.PENDING_DATA])
def test_rows_of_a_metric_without_a_running_model_are_stored_all_the_same(storer, status):
    uid = storer.monitor("m", MetricStatus.ACTIVE)
    with writing(storer.engine) as conn:
        metrics.set_status(conn, uid, status)
    assert fed(storer.process(lines(at(1), at(2)))) == []
    assert len(storer.rows("m")) == 2


def test_messages_to_the_models_have_a_bounded_size(storer):
    storer.monitor("m")
    outcome = storer.process(lines(*[at(i) for i in range(1201)]))
    sizes = [len(messages.decode_model_input(message.body)) for message in outcome.offered]
    assert sizes == [500, 500, 201]
    assert [rowid for _, rowid, _, _ in fed(outcome)] == list(range(1, 1202))


def test_a_model_that_waits_for_data_is_started_when_there_is_enough_and_gets_a_row(storer):
    uid = storer.monitor("m", MetricStatus.PENDING_DATA)
    storer.process(lines(*[at(i) for i in range(287)]))
    assert storer.models.activated == []

    def activate(metric_id):
        with writing(storer.engine) as conn:
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


# -- Deaths and deliveries that come again


def test_a_message_that_comes_again_changes_nothing_and_its_metrics_are_asked_for(storer):
    uid = storer.monitor("m")
    body = lines(at(1), at(2))
    storer.dies_at = "metric_storer.committed"
    with pytest.raises(Killed):
        storer.process(body)
    storer.dies_at = None
    storer.start()
    outcome = storer.process(body, deliveries=2)
    assert len(storer.rows("m")) == 2
    assert fed(outcome) == [(uid, 2, NOW - 99_998, 1.0)]


def test_a_database_that_goes_away_after_a_commit_costs_no_model_its_rows(storer, monkeypatch):
    uid = storer.monitor("m")
    first, second = lines(*[at(i) for i in range(4000)]), lines(at(5000))
    original, calls = metric_storer.samples.append, []

    def append(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise DependencyAway
        original(*arguments)

    monkeypatch.setattr(metric_storer.samples, "append", append)
    deliveries = list(storer.deliver(first, second))
    with pytest.raises(DependencyAway):
        storer.stage.process(deliveries)
    rows = fed(storer.stage.process(deliveries))
    # The last one is asked for besides: the storer cannot know whether the second commit took place.
    assert [rowid for _, rowid, _, _ in rows] == [*range(1, 4002), 4001]
    assert {row[0] for row in rows} == {uid}


@pytest.fixture
def lost_commits(monkeypatch):
    """The connection is lost at so many of the next commits, behind the commit and before its confirmation."""
    original, left = metric_storer.writing, []

    @contextmanager
    def losing(engine):
        with original(engine) as conn:
            yield conn
        if left:
            left.pop()
            raise RepositoryUnavailable("the connection was lost", hint="")

    monkeypatch.setattr(metric_storer, "writing", losing)
    return left


def test_metrics_whose_commit_is_not_certain_are_asked_for(storer, lost_commits):
    uid = storer.monitor("m")
    deliveries = list(storer.deliver(lines(at(1), at(2))))
    lost_commits.append(1)
    with pytest.raises(DependencyAway):
        storer.stage.process(deliveries)
    assert fed(storer.stage.process(deliveries)) == [(uid, 2, NOW - 99_998, 1.0)]
    assert len(storer.rows("m")) == 2
    assert not fed(storer.process(lines(at(2))))  # nothing is in doubt any more


def test_new_metrics_whose_commit_is_not_certain_get_their_models(tmp_path, lost_commits):
    storer = Storer(tmp_path, rules=with_rules(tmp_path, "[all]\npattern = *\naction = monitor\n"))
    storer.process()  # all that there are have been looked at
    deliveries = list(storer.deliver(lines(at(1))))
    lost_commits.append(1)
    with pytest.raises(DependencyAway):
        storer.stage.process(deliveries)
    storer.stage.process(deliveries)
    assert [spec["metricSpec"]["uid"] for spec in storer.models.monitored] == [storer.state("m").uid]
    storer.engine.dispose()


def test_a_storer_that_was_overtaken_stores_nothing_and_does_it_again(storer, monkeypatch):
    storer.process(lines(at(1)))
    original = metric_storer.metrics.states_by_name

    def stale(conn, names):
        return {name: state._replace(last_rowid=7) for name, state in original(conn, names).items()}

    monkeypatch.setattr(metric_storer.metrics, "states_by_name", stale)
    with pytest.raises(DependencyAway):
        storer.process(lines(at(2)))
    monkeypatch.undo()
    assert len(storer.rows("m")) == 1
    storer.process(lines(at(2)))
    assert len(storer.rows("m")) == 2


def test_rows_that_another_adds_before_our_turn_to_write_come_first(storer, monkeypatch):
    storer.process(lines(at(1)))
    uid = storer.state("m").uid

    def add(conn):
        samples.advance_last(conn, [(uid, 1, 2, NOW - 100_000 + 2)])
        samples.append(conn, [uid], [2], [NOW - 100_000 + 2], [2.0])

    write_first(monkeypatch, metric_storer, add)
    outcome = storer.process(lines(at(2, 5.0), at(3, 3.0)))
    assert [value for _, value in storer.rows("m")] == [1.0, 2.0, 3.0]
    assert fed(outcome) == []  # it has no model


LINES = st.lists(
    st.tuples(
        st.integers(0, 12), st.sampled_from([0.1, 2.5, -3e300]), st.sampled_from(["a", "b", "bad name"])
    ),
    max_size=25,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    storer = Storer(tmp_path_factory.mktemp("shared"))
    yield storer
    storer.engine.dispose()


@settings(max_examples=25, deadline=None)
@given(LINES, st.lists(st.integers(0, 25), max_size=3), st.lists(st.integers(0, 25), max_size=3))
def test_any_split_into_messages_and_batches_stores_the_same_rows(shared, some, message_cuts, batch_cuts):
    def cut(items, cuts):
        edges = [0, *sorted(min(place, len(items)) for place in cuts), len(items)]
        return [items[first:last] for first, last in pairwise(edges)]

    def named(prefix):
        return [at(second, value, f"{prefix}.{name}") for second, value, name in some]

    shared.tag += 1
    whole, split = f"whole{shared.tag}", f"split{shared.tag}"
    shared.process(lines(*named(whole)))
    for bodies in cut([lines(*part) for part in cut(named(split), message_cuts)], batch_cuts):
        shared.process(*bodies)
    for name in "ab":
        assert shared.rows(f"{split}.{name}") == shared.rows(f"{whole}.{name}")


# -- Backfills


def history(*seconds, token="t", done=False):
    return lines(
        *[at(second) for second in seconds],
        backfill=messages.Backfill(metric="m", token=token, done=done),
    )


def seconds(storer, name="m"):
    return [second - NOW + 100_000 for second, _ in storer.rows(name)]


def held(storer):
    with reading(storer.engine) as conn:
        return backfill.held(conn, "m", 1000).timestamps


def test_live_samples_wait_until_the_history_is_there(storer):
    storer.process(history(1, 2))
    storer.process(lines(at(92), at(91), at(5, name="other")))
    assert seconds(storer) == [1, 2]
    assert seconds(storer, "other") == [5]
    storer.process(history(3, 4, done=True))
    assert seconds(storer) == [1, 2, 3, 4, 91, 92]
    assert held(storer) == []
    storer.process(lines(at(93)))
    assert seconds(storer) == [1, 2, 3, 4, 91, 92, 93]


def test_rows_of_a_history_and_what_waited_for_it_go_to_the_model(storer):
    storer.monitor("m")
    storer.process(history(1), lines(at(91)))
    outcome = storer.process(history(2, done=True))
    assert [rowid for _, rowid, _, _ in fed(outcome)] == [2, 3]


@pytest.mark.parametrize("dies_in", range(4))
def test_a_death_during_a_backfill_loses_and_doubles_nothing(storer, dies_in):
    bodies = [history(1, 2), lines(at(91)), history(3, done=True), lines(at(92))]
    for number, body in enumerate(bodies):
        if number == dies_in:
            storer.dies_at = "metric_storer.committed"
            with pytest.raises(Killed):
                storer.process(body)
            storer.dies_at = None
            storer.start()
            storer.process(body, deliveries=2)
        else:
            storer.process(body)
    assert seconds(storer) == [1, 2, 3, 91, 92]
    assert held(storer) == []


def test_a_batch_of_a_whole_backfill_that_comes_again_one_by_one_changes_nothing(storer):
    bodies = [history(1), lines(at(91)), history(2, done=True), lines(at(92))]
    storer.dies_at = "metric_storer.committed"
    with pytest.raises(Killed):
        storer.process(*bodies)
    storer.dies_at = None
    storer.start()
    for body in bodies:
        storer.process(body, deliveries=2)
    assert seconds(storer) == [1, 2, 91, 92]
    assert held(storer) == []


def test_a_backfill_whose_sender_died_ends_by_itself(storer):
    storer.process(history(1), lines(at(91)))
    storer.now += holding.PATIENCE_S - 1
    storer.process()
    assert seconds(storer) == [1]
    storer.now += 6
    storer.process()
    assert seconds(storer) == [1, 91]
    assert held(storer) == []
    storer.process(lines(at(92)))
    assert seconds(storer) == [1, 91, 92]


def test_every_message_of_a_backfill_renews_it(storer):
    for second in range(1, 5):
        storer.process(history(second))
        storer.process(lines(at(90 + second)))
        storer.now += holding.PATIENCE_S - 10
        storer.process()
    assert seconds(storer) == [1, 2, 3, 4]


def test_a_backfill_that_waits_in_the_queue_is_not_over(storer):
    storer.process(history(1), lines(at(91)))
    storer.now += 1000
    storer.queues = [QueueStatus("data", 5, 0, 990.0, 1)]
    storer.process()
    assert seconds(storer) == [1]


def test_a_death_while_a_backfill_is_ended_loses_nothing(storer):
    storer.process(history(1), lines(at(91)))
    storer.now += holding.PATIENCE_S
    storer.dies_at = "metric_storer.committed"
    with pytest.raises(Killed):
        storer.process()
    storer.dies_at = None
    storer.start()
    storer.process()
    assert seconds(storer) == [1, 91]


# -- Rules


def with_rules(folder, text):
    path = folder / "monitor-rules.conf"
    path.write_text(text)
    return path


def test_new_metrics_that_a_rule_fits_get_a_model_and_a_row(tmp_path):
    storer = Storer(tmp_path, rules=with_rules(tmp_path, "[all]\npattern = web.*\naction = monitor\n"))

    def monitor(spec):
        uid = spec["metricSpec"]["uid"]
        with writing(storer.engine) as conn:
            metrics.start_model(
                conn, uid, parameters="{}", model_params="{}", status=MetricStatus.CREATE_PENDING
            )
        return uid

    storer.models.monitorMetric = monitor
    outcome = storer.process(lines(at(1, 5.0, "web.a"), at(1, name="db.a")))
    assert storer.state("web.a").status == MetricStatus.CREATE_PENDING
    assert storer.state("db.a").status == MetricStatus.UNMONITORED
    assert fed(outcome) == [(storer.state("web.a").uid, 1, NOW - 99_999, 5.0)]
    storer.engine.dispose()


def test_many_new_metrics_get_their_models_a_few_at_a_time(tmp_path):
    storer = Storer(tmp_path, rules=with_rules(tmp_path, "[all]\npattern = *\naction = monitor\n"))
    storer.process(lines(*[at(1, name=f"m{i}") for i in range(120)]))
    assert len(storer.models.monitored) == 50
    assert storer.stage.poll_interval_s == 0
    storer.process()
    storer.process()
    assert len({spec["metricSpec"]["uid"] for spec in storer.models.monitored}) == 120
    assert storer.stage.poll_interval_s > 0
    storer.engine.dispose()


def test_a_model_that_is_not_confirmed_is_defined_again(storer):
    uid = storer.monitor("m", MetricStatus.CREATE_PENDING)
    storer.process()
    storer.now += 5
    (message,) = storer.process().offered
    asked = messages.decode_model_input(message.body)
    assert message.queue == f"input.{messages.shard_of(uid, SHARDS)}"
    assert (asked.uid, asked.generation) == (uid, 0)


def test_a_metric_that_stands_still_is_asked_for_with_its_last_row(storer):
    uid = storer.monitor("m")
    storer.process(lines(at(1), at(2, 7.0)))
    assert fed(storer.process()) == []
    storer.now += 5
    assert fed(storer.process()) == [(uid, 2, NOW - 99_998, 7.0)]
    assert fed(storer.process()) == []


def test_as_many_messages_are_taken_as_make_a_transaction(storer):
    storer.process(lines(*[at(i) for i in range(1000)]))
    assert storer.stage.max_messages == 4
    storer.process(lines(at(1001)), lines(at(1002)))
    assert storer.stage.max_messages == 200
    storer.process(lines(*[at(i) for i in range(10_000)]))
    assert storer.stage.max_messages == 1
    storer.process()
    assert storer.stage.max_messages == 1
