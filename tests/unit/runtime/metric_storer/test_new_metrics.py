"""So many new metrics a minute."""

import pytest

from htmengine import messages
from htmengine.doors import queue_lines
from htmengine.doors.reasons import Reason, remedy_of
from htmengine.doors.samples import Kind, Samples
from htmengine.repository import metrics
from htmengine.runtime.metric_storer import new_metrics
from htmengine.runtime.metric_storer.new_metrics import NewMetrics
from tests.unit.runtime.metric_storer.storer import NOW, Killed, Storer, at, lines, with_rules


@pytest.fixture
def storer(tmp_path):
    return Storer(tmp_path, new_series_per_minute=2)


def refused(storer):
    rejected = storer.stage.counters.snapshot()["rejected"]
    return rejected[Reason.MANY_NEW]["count"] if Reason.MANY_NEW in rejected else 0


def there(storer, names):
    return "".join(name for name in names if storer.state(name))


def one_each(names, second=1):
    return lines(*(at(second, name=name) for name in names))


def series(*names, kind=Kind.COUNTER, second=0, value=1.0):
    samples = Samples.empty()
    for name in names:
        samples.add(name, NOW - 1000 + second, value, kind)
    ((protocol, data),) = queue_lines.written(samples).items()
    return messages.encode_json(messages.MetricLines(protocol=protocol, data=data))


class TestBucket:
    def test_has_a_minutes_worth_at_first_and_never_more(self):
        now = 100.0
        bucket = NewMetrics(6, lambda: now)
        assert bucket.left() == 6
        bucket.count(6)
        assert bucket.left() == 0
        now += 9.9
        assert bucket.left() == 0
        now += 0.1
        assert bucket.left() == 1
        now += 1e6
        assert bucket.left() == 6

    def test_fills_in_small_steps_as_in_one(self):
        now = 0.0
        bucket = NewMetrics(7, lambda: now)
        bucket.count(7)
        for _ in range(600):
            now += 0.1
            bucket.left()
        assert bucket.left() == 7


class TestTotal:
    def test_has_as_much_room_as_there_are_fewer(self, tmp_path):
        now = 100.0
        total = NewMetrics(0, lambda: now, 3)
        with Storer(tmp_path).database.write() as conn:
            total.look(conn, 0)
            assert (total.limited, total.left(), total.reason) == (True, 3, Reason.MANY_METRICS)
            total.count(3)
            assert (total.left(), total.reason) == (0, Reason.MANY_METRICS)
            metrics.create_custom(conn, ["a"])
            now += 59.0
            total.look(conn, 0)
            assert total.left() == 0
            now += 1.0
            total.look(conn, 0)  # others may have deleted some
            assert total.left() == 2

    def test_the_smaller_of_both_limits_holds(self, tmp_path):
        both = NewMetrics(2, lambda: 0.0, 3)
        with Storer(tmp_path).database.read() as conn:
            both.look(conn, 0)
        assert both.left() == 2
        both.count(2)
        assert (both.left(), both.reason) == (0, Reason.MANY_NEW)


def test_beyond_the_limit_of_all_samples_are_refused_until_metrics_are_deleted(tmp_path):
    storer = Storer(tmp_path, new_series_per_minute=0, max_series=2)
    storer.process(one_each("abc"))
    assert there(storer, "abc") == "ab"
    storer.process(lines(at(2, name="a"), at(2, name="c")))
    assert (len(storer.rows("a")), there(storer, "c")) == (2, "")
    rejected = storer.stage.counters.snapshot()["rejected"]
    assert rejected[Reason.MANY_METRICS]["count"] == 2
    assert "max_series" in remedy_of(Reason.MANY_METRICS)


@pytest.mark.parametrize("ample", [0, 1000])
def test_with_ample_room_they_are_counted_once_they_are_made(tmp_path, monkeypatch, ample):
    monkeypatch.setattr(new_metrics, "AMPLE", ample)
    storer = Storer(tmp_path, new_series_per_minute=4)
    storer.process(one_each("abc"))
    storer.process(one_each("def"))
    assert there(storer, "abcdef") == "abcd"


def test_without_a_limit_all_are_created(tmp_path):
    storer = Storer(tmp_path, new_series_per_minute=0, max_series=0)
    storer.process(one_each("abcdefgh"))
    assert there(storer, "abcdefgh") == "abcdefgh"


def test_more_are_refused_and_neither_neighbours_nor_metrics_that_there_are_notice(storer):
    storer.monitor("old")
    storer.process(
        lines(at(1, name="a"), at(1, name="b"), at(1, name="c"), at(2, name="c"), at(1, name="old"))
    )
    assert there(storer, "abc") == "ab"
    assert refused(storer) == 2
    storer.process(lines(at(2, name="old"), at(2, name="a"), at(2, name="d")))
    assert [len(storer.rows(name)) for name in ("old", "a", "b", "d")] == [2, 2, 1, 0]
    assert refused(storer) == 3
    assert storer.stage.counters.snapshot()["rejected"][Reason.MANY_NEW]["examples"]
    assert "new_series_per_minute" in remedy_of(Reason.MANY_NEW)


def test_there_is_room_again_in_time(storer):
    storer.process(one_each("abc"))
    storer.time_passes(29)
    storer.process(one_each("c", 2))
    assert there(storer, "abc") == "ab"
    storer.time_passes(1)
    storer.process(one_each("cd", 3))
    assert there(storer, "abcd") == "abc"
    storer.time_passes(3600)
    storer.process(one_each("defg", 4))
    assert there(storer, "defg") == "de"


def test_a_clock_that_is_set_makes_no_room(storer):
    storer.process(one_each("ab"))
    storer.now += 3600
    storer.process(one_each("c"))
    assert there(storer, "abc") == "ab"


def test_a_message_that_comes_again_makes_the_same_metrics_and_no_room(storer):
    storer.process(one_each("abc"))
    storer.process(one_each("abc"), deliveries=2)
    assert there(storer, "abc") == "ab"
    assert [len(storer.rows(name)) for name in "ab"] == [1, 1]


def test_what_was_not_committed_is_not_counted(storer, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(storer.stage, "_store", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            storer.process(one_each("ab"))
    assert there(storer, "ab") == ""
    storer.process(one_each("ab"), deliveries=2)
    assert there(storer, "ab") == "ab"


def test_after_a_kill_behind_the_commit_nothing_is_there_twice(storer):
    storer.dies_at = "metric_storer.committed"
    with pytest.raises(Killed):
        storer.process(one_each("abc"))
    storer.dies_at = None
    storer.start()
    storer.process(one_each("abc"), deliveries=2)
    assert there(storer, "abc") == "abc"  # as said in the documents: who starts has a minute's worth
    assert [len(storer.rows(name)) for name in "abc"] == [1, 1, 1]


def test_a_counter_counts_with_its_first_value_and_not_with_its_first_row(storer):
    storer.process(series("a", "b", "c"))
    assert refused(storer) == 1
    storer.process(series("a", "b", "c", second=10, value=11.0))
    assert there(storer, "abc") == "ab"
    assert storer.rows("a") == [(NOW - 990, 1.0)]
    assert refused(storer) == 2


def test_the_end_of_a_series_that_nobody_knows_takes_no_room(storer):
    storer.process(series("x", "y", "z", kind=Kind.ENDED))
    storer.process(one_each("ab"))
    assert there(storer, "ab") == "ab"
    assert refused(storer) == 0


def test_a_metric_whose_samples_wait_counts_with_the_first_of_them(tmp_path):
    rules = with_rules(tmp_path, "[all]\npattern = *\ninterval = 1m\n")
    storer = Storer(tmp_path, rules=rules, new_series_per_minute=2)
    storer.process(one_each("abc"))
    assert refused(storer) == 1
    storer.process(one_each("abc", 100))
    assert refused(storer) == 2
    assert there(storer, "abc") == "ab"
    assert len(storer.rows("a")) == 1


def test_names_go_by_what_rules_make_of_them(tmp_path):
    rules = with_rules(tmp_path, "[pods]\npattern = *;pod=*\ndrop_tags = pod\n")
    storer = Storer(tmp_path, rules=rules, new_series_per_minute=1)
    storer.process(lines(*(at(i, name=f"m;pod=p{i}") for i in range(5)), at(1, name="n;pod=p")))
    assert len(storer.rows("m")) == 5
    assert refused(storer) == 1


def test_a_history_is_always_taken_and_what_waits_for_it_too(storer):
    storer.process(one_each("ab"))
    history = messages.Backfill(metric="m", token="t", done=False)
    storer.process(lines(at(1), at(2), backfill=history), lines(at(50)))
    storer.process(lines(at(60)))
    storer.process(lines(at(3), backfill=messages.Backfill(metric="m", token="t", done=True)))
    assert len(storer.rows("m")) == 5
    assert refused(storer) == 0
