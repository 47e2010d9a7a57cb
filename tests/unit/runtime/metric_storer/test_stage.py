"""What is stored of what comes, also when it comes again."""

from contextlib import contextmanager
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.doors.reasons import Reason
from htmengine.errors import DependencyUnavailable
from htmengine.repository import samples, schema
from htmengine.repository.database import Database
from htmengine.repository.embedded import compaction, merging
from htmengine.repository.embedded import rows as embedded_rows
from htmengine.repository.errors import RepositoryUnavailable
from htmengine.repository.status import MetricStatus
from htmengine.runtime.metric_storer import compactor, stage
from tests.support.concurrency import write_first
from tests.support.examples import examples
from tests.unit.runtime.metric_storer.storer import NOW, Killed, Storer, at, fed, lines, with_rules


def test_a_line_becomes_a_row_of_a_new_metric(storer):
    outcome = storer.process(lines("test.metric 4.0 1386792175"))
    assert storer.rows("test.metric") == [(1386792175, 4.0)]
    assert storer.state("test.metric").status == MetricStatus.UNMONITORED
    assert outcome.dead_letters == () or outcome.dead_letters == []
    assert fed(outcome) == []


@pytest.mark.parametrize(
    ("said", "by_file", "wanted"),
    [
        (None, None, False),
        (None, False, False),
        (None, True, True),
        (False, True, False),
        (True, False, True),
    ],
)
def test_older_rows_are_compressed_where_that_is_wanted(tmp_path, monkeypatch, said, by_file, wanted):
    """The configuration comes before the file."""
    monkeypatch.setattr(embedded_rows, "MIN_RUN_ROWS", 4)
    monkeypatch.setattr(merging, "RUNS_TO_MERGE", 2)
    monkeypatch.setattr(compaction, "BLOCK_ROWS", 8)
    monkeypatch.setattr(compaction, "PLAIN_S", 0.0)
    storer = Storer(tmp_path, compress_rows=said)
    if by_file is not None:
        with storer.database.write() as conn:
            compaction.want(conn, by_file)
    for second in range(60):
        storer.process(lines(at(second)))
        storer.stage.settle()
    for _ in range(60):
        storer.stage.settle()
    with storer.database.read() as conn:
        blocks = conn.exec_driver_sql("SELECT count(*) FROM row_block").scalar()
    assert (blocks > 0) == wanted
    assert len(storer.rows("m")) == 60
    storer.database.close()


def test_rows_are_merged_many_at_a_time_and_all_of_them_once_nothing_comes(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded_rows, "MIN_RUN_ROWS", 4)
    monkeypatch.setattr(merging, "RUNS_TO_MERGE", 2)
    monkeypatch.setattr(compactor, "MIN_MERGED_ROWS", 10)
    storer = Storer(tmp_path)
    merged = []
    for second in range(40):
        storer.process(lines(at(second)))
        before = storer.stage.counters["rows_merged"]
        storer.stage.settle()
        merged.append(storer.stage.counters["rows_merged"] - before)
    parts = [rows for rows in merged if rows]
    assert min(parts) >= 8  # of two runs: all that was there
    assert sum(parts) >= 20
    for _ in range(40):
        storer.stage.settle()
    with storer.database.read() as conn:
        assert not merging.is_due(conn)
    assert len(storer.rows("m")) == 40
    storer.database.close()


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
    assert counted["rows_stored"] == 2
    assert {reason: found["examples"] for reason, found in counted["rejected"].items()} == {
        Reason.TIMESTAMP: ["m 1 12:30PM"],
        Reason.FIELDS: ["nonsense"],
        Reason.NOT_FINITE: ["m nan 1"],
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
    storer.time_passes(2)
    storer.process(lines(f"m 3 {NOW + 3602}"))
    assert len(storer.rows("m")) == 2
    assert storer.stage.counters.snapshot()["rejected"][Reason.FUTURE]["count"] == 1


def test_a_storer_whose_clock_is_slow_takes_what_was_accepted(storer, caplog):
    storer.now -= 7200
    for second in (1, 2):
        storer.process(lines(f"m 1 {NOW + second}", accepted_at=NOW + 1.5))
    assert [second for second, _ in storer.rows("m")] == [NOW + 1, NOW + 2]
    assert caplog.text.count("clock_is_slow by_s=7202") == 1


@pytest.mark.parametrize("own", [-7200, 0, 7200])
def test_what_lies_too_far_in_the_future_goes_by_the_time_of_acceptance(storer, own):
    storer.now += own
    storer.process(lines(f"m 1 {NOW + 3601}", f"m 2 {NOW + 3600}", accepted_at=NOW))
    assert storer.rows("m") == [(NOW + 3600, 2.0)]
    assert storer.stage.counters.snapshot()["rejected"][Reason.FUTURE]["count"] == 1


def test_each_message_of_a_batch_goes_by_its_own_time_of_acceptance(storer):
    storer.process(
        lines(f"m 1 {NOW + 3602}", accepted_at=NOW),
        lines(f"m 2 {NOW + 3601}", accepted_at=NOW + 1),
        lines(f"m 3 {NOW + 3602}"),
    )
    assert [value for _, value in storer.rows("m")] == [2.0]


def test_what_is_older_than_a_row_that_was_removed_is_refused(storer):
    storer.process(lines(at(1), at(2), at(3)))
    with storer.database.write() as conn:
        conn.execute(schema.metric_data.delete())
    storer.process(lines(at(2), at(3), at(4)))
    with storer.database.read() as conn:
        assert samples.read(conn, storer.state("m").uid, 0, 99, 99).rowids == [4]


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
    original, calls = stage.samples.append, []

    def append(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise DependencyUnavailable
        original(*arguments)

    monkeypatch.setattr(stage.samples, "append", append)
    deliveries = list(storer.deliver(first, second))
    with pytest.raises(DependencyUnavailable):
        storer.stage.process(deliveries)
    rows = fed(storer.stage.process(deliveries))
    # The last one is asked for besides: the storer cannot know whether the second commit took place.
    assert [rowid for _, rowid, _, _ in rows] == [*range(1, 4002), 4001]
    assert {row[0] for row in rows} == {uid}


@pytest.fixture
def lost_commits(monkeypatch):
    """The connection is lost at so many of the next commits, behind the commit and before its confirmation."""
    write, left = Database.write, []

    @contextmanager
    def losing(database):
        with write(database) as conn:
            yield conn
        if left:
            left.pop()
            raise RepositoryUnavailable("the connection was lost", hint="")

    monkeypatch.setattr(Database, "write", losing)
    return left


def test_metrics_whose_commit_is_not_certain_are_asked_for(storer, lost_commits):
    uid = storer.monitor("m")
    deliveries = list(storer.deliver(lines(at(1), at(2))))
    lost_commits.append(1)
    with pytest.raises(DependencyUnavailable):
        storer.stage.process(deliveries)
    assert fed(storer.stage.process(deliveries)) == [(uid, 2, NOW - 99_998, 1.0)]
    assert len(storer.rows("m")) == 2
    assert not fed(storer.process(lines(at(2))))  # nothing is in doubt any more


def test_new_metrics_whose_commit_is_not_certain_get_their_models(tmp_path, lost_commits):
    storer = Storer(tmp_path, rules=with_rules(tmp_path, "[all]\npattern = *\naction = monitor\n"))
    storer.process()  # all that there are have been looked at
    deliveries = list(storer.deliver(lines(at(1))))
    lost_commits.append(1)
    with pytest.raises(DependencyUnavailable):
        storer.stage.process(deliveries)
    storer.stage.process(deliveries)
    assert [spec["metricSpec"]["uid"] for spec in storer.models.monitored] == [storer.state("m").uid]
    storer.database.close()


def test_a_storer_that_was_overtaken_stores_nothing_and_does_it_again(storer, monkeypatch):
    storer.process(lines(at(1)))
    original = stage.metrics.states_by_name

    def stale(conn, names):
        return {name: state._replace(last_rowid=7) for name, state in original(conn, names).items()}

    monkeypatch.setattr(stage.metrics, "states_by_name", stale)
    with pytest.raises(DependencyUnavailable):
        storer.process(lines(at(2)))
    monkeypatch.undo()
    assert len(storer.rows("m")) == 1
    storer.process(lines(at(2)))
    assert len(storer.rows("m")) == 2


def test_rows_that_another_adds_before_our_turn_to_write_come_first(storer, monkeypatch):
    storer.process(lines(at(1)))
    uid = storer.state("m").uid

    def add(conn):
        samples.advance_last(conn, [samples.Advance(uid, 1, 2, NOW - 100_000 + 2)])
        samples.append(conn, [uid], [2], [NOW - 100_000 + 2], [2.0])

    write_first(monkeypatch, storer.database, add)
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
    storer.database.close()


@examples(25)
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


def test_as_many_messages_are_taken_as_make_a_transaction(storer):
    storer.process(lines(*[at(i) for i in range(1000)]))
    assert storer.stage.max_messages == 4
    storer.process(lines(at(1001)), lines(at(1002)))
    assert storer.stage.max_messages == 200
    storer.process(lines(*[at(i) for i in range(10_000)]))
    assert storer.stage.max_messages == 1
    storer.process()
    assert storer.stage.max_messages == 1
