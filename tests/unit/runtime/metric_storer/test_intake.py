"""Rules change names and kinds of samples, and drop some, before rows are numbered."""

import pytest

from htmengine import messages
from htmengine.doors.reasons import Reason
from tests.unit.runtime.metric_storer.storer import NOW, Killed, Storer, at, lines, with_rules

RULES = """
[old]
regex = (old|older)\\.(.*)
rename = new.\\2

[pods]
pattern = *;pod=*
drop_tags = pod

[debug]
pattern = debug.*
action = drop

[totals]
pattern = *_total
kind = counter

[levels]
pattern = level_*
kind = gauge

[everything]
pattern = *
action = ignore
"""
T = NOW - 100_000


@pytest.fixture
def storer(tmp_path):
    return Storer(tmp_path, rules=with_rules(tmp_path, RULES))


def totals(*texts):
    return messages.encode_json(messages.MetricLines(protocol="totals", data=list(texts)))


def rejected(storer):
    return {
        reason: (one["count"], one["examples"])
        for reason, one in storer.stage.counters.snapshot()["rejected"].items()
    }


def test_samples_are_stored_under_the_names_that_rules_give(storer):
    storer.process(lines(at(1, 5.0, "old.load"), at(2, 6.0, "new.load"), at(3, 7.0, "load;a=1;pod=x")))
    assert storer.rows("new.load") == [(T + 1, 5.0), (T + 2, 6.0)]
    assert storer.rows("load;a=1") == [(T + 3, 7.0)]
    assert storer.state("old.load") is None


def test_of_two_that_become_one_each_second_has_one_row_and_the_refusal_says_which_they_were(storer):
    storer.process(
        lines(
            at(1, 1.0, "old.load"), at(1, 2.0, "older.load"), at(2, 3.0, "older.load"), at(1, 4.0, "old.load")
        )
    )
    assert storer.rows("new.load") == [(T + 1, 1.0), (T + 2, 3.0)]
    (count, examples), (older, _) = rejected(storer)[Reason.DUPLICATE], rejected(storer)[Reason.OLDER]
    assert (count, older) == (1, 1)
    assert examples == [f"new.load 2.0 {T + 1} (sent as old.load, older.load)"]


def test_what_a_rule_drops_is_not_stored_and_counted(storer):
    storer.process(lines(at(1, 1.0, "debug.a"), at(1, 2.0, "load"), at(2, 2.0, "debug.a")))
    assert storer.state("debug.a") is None
    assert storer.rows("load") == [(T + 1, 2.0)]
    assert rejected(storer) == {Reason.DROPPED: (2, [f"debug.a {n}.0 {T + n}" for n in (1, 2)])}


def test_a_gauge_of_a_door_is_a_counter_by_a_rule(storer):
    storer.process(lines(at(0, 100.0, "hits_total"), at(0, 5.0, "load"), at(60, 220.0, "hits_total")))
    assert storer.rows("hits_total") == [(T + 60, 2.0)]
    assert storer.rows("load") == [(T, 5.0)]
    assert rejected(storer)[Reason.FIRST_OF_COUNTER][0] == 1


def test_a_counter_of_a_door_is_a_gauge_by_a_rule(storer):
    storer.process(
        totals(f"level_total {100.0!r} {float(T)!r} counter - -", f"level_x 7.0 {float(T)!r} counter - -"),
        totals(f"level_x 0.0 {float(T + 60)!r} ended - -"),
    )
    assert storer.rows("level_x") == [(T, 7.0)]
    assert storer.rows("level_total") == []  # the first rule that says a kind decides


def test_counters_that_become_one_have_a_rate_each(storer):
    storer.process(
        lines(
            at(0, 1000.0, "hits_total;pod=a"),
            at(1, 10.0, "hits_total;pod=b"),
            at(10, 1050.0, "hits_total;pod=a"),
            at(11, 20.0, "hits_total;pod=b"),
        ).replace(b"hits_total;pod", b"old.hits;pod")
    )
    assert storer.rows("new.hits") == [(T, 1000.0), (T + 1, 10.0), (T + 10, 1050.0), (T + 11, 20.0)]
    with_rules(
        storer.settings.rules.parent,
        "[pods]\npattern = *;pod=*\ndrop_tags = pod\n[totals]\npattern = *_total\nkind = counter\n",
    )
    storer.time_passes(10)
    storer.process()
    storer.process(
        lines(
            at(0, 1000.0, "hits_total;pod=a"),
            at(1, 10.0, "hits_total;pod=b"),
            at(10, 1050.0, "hits_total;pod=a"),
            at(11, 20.0, "hits_total;pod=b"),
        )
    )
    assert storer.rows("hits_total") == [(T + 10, 5.0), (T + 11, 1.0)]


def test_a_history_names_its_metric_itself(storer):
    history = messages.Backfill(metric="old.load", token="t", done=True)
    storer.process(lines(at(1, 5.0, "old.load"), backfill=history))
    assert storer.rows("old.load") == [(T + 1, 5.0)]


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_death_and_a_second_delivery_change_nothing(storer, step):
    bodies = [
        lines(
            at(60 * n, 60.0 * n, "old.hits_total"), at(60 * n, float(n), "older.load"), at(n, 1.0, "debug.x")
        )
        for n in range(4)
    ]
    for body in bodies[:step]:
        storer.process(body)
    storer.dies_at = "metric_storer.committed"
    with pytest.raises(Killed):
        storer.process(bodies[step])
    storer.dies_at = None
    storer.start()
    for body in bodies[max(0, step - 1) :]:
        storer.process(body, deliveries=2)
    assert storer.rows("new.hits_total") == [(T + 60 * n, 1.0) for n in range(1, 4)]
    assert storer.rows("new.load") == [(T + 60 * n, float(n)) for n in range(4)]
    assert storer.state("debug.x") is None
