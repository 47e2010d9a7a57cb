"""Samples wait for the end of their interval, or for late ones: the same rows, however they are delivered."""

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine import messages
from htmengine.doors.reasons import Reason
from htmengine.doors.samples import Refusals
from htmengine.repository import gathered_samples, metrics
from htmengine.runtime.metric_storer.gathering import CLOSINGS, Closing, Gatherer, stamp
from htmengine.runtime.metric_storer.monitor_rules import Gathering
from tests.support.examples import examples, part
from tests.unit.runtime.metric_storer.storer import NOW, Killed, Storer, at, fed, lines, with_rules

T = NOW - 100_000 - (NOW - 100_000) % 3600
AGGREGATES = {
    "mean": statistics.fmean,
    "sum": math.fsum,
    "min": min,
    "max": max,
    "last": lambda values: values[-1],
    "count": len,
}


def naive(items, rule):
    """Return the rows of one metric that items give, and what waits; an item is a sample, or None: all is over."""
    kept, rows = [], []
    for item in items:
        if item is None:
            limit = math.inf
        else:
            if any(one[:2] == item[:2] for one in kept):
                continue
            if rows and stamp(item[1], rule) <= rows[-1][0]:
                continue
            kept.append(item)
            limit = max(one[1] for one in kept) - rule.delay_s
        for end in sorted({stamp(one[1], rule) for one in kept}):
            if end <= limit:
                values = [
                    one[2] for one in sorted(kept, key=lambda one: one[1]) if stamp(one[1], rule) == end
                ]
                kept = [one for one in kept if stamp(one[1], rule) != end]
                rows.append((end, AGGREGATES[rule.aggregation](values) if rule.interval_s else values[0]))
    return rows, kept


class Life:
    """A gatherer whose samples are kept between transactions."""

    def __init__(self, rule):
        self.rule = rule
        self.stored = []
        self.rows = []
        self.ids = 0

    def transaction(self, items):
        tail = self.rows[-1][0] if self.rows else None
        gatherer = Gatherer({"m": self.stored}, {"m": tail}, lambda name: self.rule, Refusals())
        for item in items:
            if isinstance(item, Closing):
                gatherer.close(item)
            else:
                source, time, value = item
                gatherer.add("m", source, time, value)
        for time, value in zip(*gatherer.take()[1:], strict=True):
            if self.rule.interval_s:
                assert not self.rows or time > self.rows[-1][0]
            if not self.rows or time > self.rows[-1][0]:  # as rows are numbered
                self.rows.append((time, value))
        self.stored = [one for one in self.stored if one.id not in set(gatherer.done)]
        for one in gatherer.added:
            self.ids += 1
            self.stored.append(one._replace(id=self.ids))


RULES = st.builds(
    Gathering,
    interval_s=st.sampled_from([0, 1, 5, 60]),
    aggregation=st.sampled_from(["last", "mean", "sum", "min", "max", "count"]),
    delay_s=st.sampled_from([0, 1, 7, 60]),
)
STEPS = st.tuples(
    st.sampled_from(["a", "b"]),
    st.sampled_from([0, 1, 3, 10]),  # the clock of the sender goes on
    st.integers(-30, 10),  # from it to the sample's time
    st.integers(-50, 50),
)


def timed(steps):
    now, items = 0, []
    for step in steps:
        if step is None:
            items.append(None)
            continue
        source, onwards, away, value = step
        now += onwards
        items.append((source, max(0, now + away), value / 4))
    return items


@examples(300)
@given(
    RULES,
    st.lists(st.one_of(STEPS, STEPS, STEPS, STEPS, st.none()), min_size=10, max_size=60).map(timed),
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=20),
)
def test_rows_are_those_of_the_naive_twin_in_whatever_parts_and_however_often_items_come(rule, items, parts):
    life, sent, at_item = Life(rule), [], 0
    expected, _ = naive(items, rule)
    parts = iter(parts * 60)
    while at_item < len(items):
        size, again = next(parts)
        some = items[at_item : at_item + size]
        for item in some:  # a closing says what the last row is of all that waits when it is made
            _, waiting = naive(items[: len(sent)], rule)
            if item is None:
                until = max((stamp(one[1], rule) for one in waiting), default=None)
                sent.append(Closing("m", -1 if until is None else until))
            else:
                sent.append(item)
        life.transaction(sent[at_item:])
        life.transaction(sent[len(sent) - min(again, len(sent)) :])  # delivered again
        at_item += len(some)
    assert life.rows == expected


@pytest.mark.parametrize(
    ("aggregation", "value"),
    [("mean", 2.0), ("sum", 8.0), ("min", 1.0), ("max", 3.5), ("last", 1.5), ("count", 4.0)],
)
def test_an_interval_becomes_one_row_at_its_end(aggregation, value):
    life = Life(Gathering(60, aggregation))
    life.transaction([("m", 50, 1.5), ("m", 10, 2.0), ("m", 30, 3.5), ("m", 0, 1.0), ("m", 60, 9.0)])
    assert life.rows == [(60, value)]
    assert [one.timestamp for one in life.stored] == [60]


def test_a_sum_that_is_not_finite_is_refused_and_the_next_interval_is_a_row():
    refusals = Refusals()
    gatherer = Gatherer({}, {}, lambda name: Gathering(60, "sum"), refusals)
    for time, value in ((0, 1.7e308), (1, 1.7e308), (60, 1.0), (120, 1.0)):
        gatherer.add("m", "m", time, value)
    assert gatherer.rows == (["m"], [120], [1.0])
    assert refusals.counts == {Reason.NOT_FINITE: 1}


# -- In a storer

MINUTES = "[sums]\npattern = sum*\ninterval = 1m\naggregation = sum\n"
LATE = "[late]\npattern = late*\ndelay = 30s\n"
PODS = "[pods]\npattern = *;pod=*\ndrop_tags = pod\n"


@pytest.fixture
def storer(tmp_path):
    return Storer(tmp_path, rules=with_rules(tmp_path, PODS + MINUTES + LATE))


def rejected(storer):
    return {reason: one["count"] for reason, one in storer.stage.counters.snapshot()["rejected"].items()}


def sums(*samples, name="sum"):
    return lines(*(f"{name} {value} {T + second}" for second, value in samples))


def waiting(storer):
    with storer.database.read() as conn:
        return gathered_samples.newest(conn)


def closings(outcome):
    found = []
    for queue, body, *_ in outcome.best_effort:
        if queue == "data":
            message = messages.decode_metric_lines(body)
            assert message.protocol == CLOSINGS
            found.append(body)
    return found


def test_rows_of_an_interval_are_stored_and_go_to_the_model_when_it_is_over(storer):
    uid = storer.monitor("sum")
    assert not fed(storer.process(sums((5, 1.0), (15, 2.0))))
    assert storer.rows("sum") == []
    assert fed(storer.process(sums((65, 4.0)))) == [(uid, 1, T + 60, 3.0)]
    assert storer.rows("sum") == [(T + 60, 3.0)]
    storer.process(sums((50, 9.0)))
    assert rejected(storer) == {Reason.LATE: 1}


def test_series_that_become_one_are_summed_with_all_their_samples(storer):
    storer.process(
        lines(*(f"sum;pod={pod} {value} {T + 10}" for pod, value in (("a", 1.0), ("b", 2.0), ("a", 7.0)))),
        sums((70, 1.0)),
    )
    assert storer.rows("sum") == [(T + 60, 3.0)]
    assert rejected(storer) == {Reason.DUPLICATE: 1}


def test_late_samples_are_put_in_order_within_the_delay(storer):
    storer.process(lines(*(f"late {second}.0 {T + second}" for second in (0, 20, 10, 40, 35))))
    assert storer.rows("late") == [(T, 0.0), (T + 10, 10.0)]
    storer.process(lines(f"late 5.0 {T + 5}", f"late 70.0 {T + 70}"))
    assert [second - T for second, _ in storer.rows("late")] == [0, 10, 20, 35, 40]
    assert rejected(storer) == {Reason.LATE: 1}


def test_others_are_rows_at_once(storer):
    storer.process(sums((5, 1.0)), lines(at(1, 5.0)))
    assert len(storer.rows("m")) == 1


def test_a_silent_metric_is_closed_by_a_message_behind_all_that_waits_in_the_queue(storer):
    storer.process(sums((5, 1.0)))
    storer.time_passes(30)
    assert not closings(storer.process())
    storer.time_passes(40)
    (closing,) = closings(storer.process())
    assert storer.rows("sum") == []
    storer.process(sums((55, 2.0)), closing)  # it was in the queue before
    assert storer.rows("sum") == [(T + 60, 3.0)]
    assert waiting(storer) == {}
    storer.process(closing, deliveries=2)
    storer.time_passes(100)
    assert not closings(storer.process())
    assert len(storer.rows("sum")) == 1


def test_a_closing_that_is_lost_is_told_again_also_after_a_restart(storer):
    storer.process(sums((5, 1.0)))
    storer.time_passes(70)
    assert closings(storer.process())
    storer.time_passes(70)
    assert closings(storer.process())
    storer.start()
    storer.process()
    storer.time_passes(70)
    (closing,) = closings(storer.process())
    storer.process(closing)
    assert storer.rows("sum") == [(T + 60, 1.0)]


def test_an_interval_that_is_not_over_by_the_clock_is_left_open(storer):
    start = int(storer.now) // 60 * 60
    storer.process(lines(f"sum 1.0 {start + 59 + 60}"))
    storer.elapsed += 70  # the machine's clock stands
    assert not closings(storer.process())
    storer.time_passes(130)
    assert closings(storer.process())


def test_a_rule_that_is_gone_lets_go_of_what_waits(storer):
    storer.process(sums((5, 1.0), (15, 2.0)))
    with_rules(storer.settings.rules.parent, PODS)
    storer.time_passes(10)
    storer.process()
    storer.process(sums((25, 4.0)))
    assert storer.rows("sum") == [(T + 5, 1.0), (T + 15, 2.0), (T + 25, 4.0)]
    assert waiting(storer) == {}


def test_an_interval_that_a_rule_makes_longer_takes_what_waits(storer):
    storer.process(sums((5, 1.0), (65, 2.0)))
    with_rules(storer.settings.rules.parent, MINUTES.replace("1m", "5m"))
    storer.time_passes(10)
    storer.process()
    storer.process(sums((250, 4.0), (305, 1.0)))
    assert storer.rows("sum") == [(T + 60, 1.0), (T + 300, 6.0)]


def test_rates_of_counters_are_gathered(tmp_path):
    storer = Storer(
        tmp_path,
        rules=with_rules(
            tmp_path, PODS + "[t]\npattern = *_total\nkind = counter\n" + "[a]\npattern = *\ninterval = 1m\n"
        ),
    )
    for second in range(0, 130, 10):
        storer.process(
            lines(f"hits_total;pod=a {second * 2} {T + second}", f"hits_total;pod=b {second} {T + second}")
        )
    assert storer.rows("hits_total") == [(T + 60, 1.5), (T + 120, 1.5)]


def test_what_waits_of_a_deleted_metric_is_gone(storer):
    storer.process(sums((5, 1.0), (65, 2.0)))
    with storer.database.write() as conn:
        assert not metrics.delete_metric(conn, storer.state("sum").uid)
    assert waiting(storer) == {}
    storer.process(sums((70, 4.0), (125, 1.0)))
    assert storer.rows("sum") == [(T + 120, 4.0)]


MESSAGES = [
    lines(
        *(
            f"sum;pod={pod} {second + pod} {T + second}"
            for second in range(20 * n, 20 * n + 20, 5)
            for pod in (1, 2)
        )
    )
    for n in range(9)
]


def undisturbed(tmp_path_factory):
    storer = Storer(
        (folder := tmp_path_factory.mktemp("undisturbed")), rules=with_rules(folder, PODS + MINUTES)
    )
    for body in MESSAGES:
        storer.process(body)
    return storer.rows("sum"), waiting(storer)


@pytest.mark.parametrize("together", [1, 2, 4])
@pytest.mark.parametrize("where", ["before the commit", "behind the commit"])
def test_deaths_and_second_deliveries_change_no_row(storer, tmp_path_factory, together, where, monkeypatch):
    if where == "before the commit":
        real = gathered_samples.store

        def dying(conn, samples):
            real(conn, samples)
            if storer.dies_at:
                raise Killed

        monkeypatch.setattr("htmengine.repository.gathered_samples.store", dying)
    for first in range(0, len(MESSAGES), together):
        some = MESSAGES[first : first + together]
        storer.dies_at = "metric_storer.committed"
        with pytest.raises(Killed):
            storer.process(*some)
        storer.dies_at = None
        storer.start()
        storer.process(*some, deliveries=2)
    assert (storer.rows("sum"), waiting(storer)) == undisturbed(tmp_path_factory)
    assert len(storer.rows("sum")) == 2


def test_what_waits_is_read_again_only_when_a_row_is_made(storer, monkeypatch):
    read, before = [], gathered_samples.read

    def reading(*arguments):
        found = before(*arguments)
        read.append(sum(map(len, found.values())))
        return found

    monkeypatch.setattr(gathered_samples, "read", reading)
    for second in range(121):
        storer.process(sums((second, 1.0)))
    assert storer.rows("sum") == [(T + 60, 60.0), (T + 120, 60.0)]
    assert sum(read) <= 121
    read.clear()
    for second in range(121):
        storer.process(sums((second, 1.0), name="late"))
    assert len(storer.rows("late")) == 91
    assert sum(read) <= 121


@pytest.mark.parametrize("seed", range(part(6)))
def test_nothing_depends_on_how_much_of_what_waits_is_read(tmp_path, monkeypatch, seed):
    drawn = random.Random(seed)
    storers = []
    for name in ("whole", "partly"):
        (tmp_path / name).mkdir()
        rules = with_rules(tmp_path / name, PODS + MINUTES + LATE)
        storers.append(Storer(tmp_path / name, rules=rules))
    monkeypatch.setattr(
        storers[0].stage._waiting,
        "_read",
        lambda conn, _arrived, rules: (gathered_samples.read(conn, sorted(rules)), {}),
    )
    now, sent = 0, []
    for _ in range(60):
        texts = []
        for _ in range(drawn.choice([1, 1, 3, 8])):
            now += drawn.choice([0, 1, 7, 25])
            second = max(0, now + drawn.choice([0, 0, 0, -1, -20, -70]))
            name = drawn.choice(["sum", "sum;pod=a", "sum;pod=b", "late", "at.once"])
            texts.append(f"{name} {drawn.randrange(9)}.5 {T + second}")
        sent.append(lines(*texts))
        bodies = sent[-drawn.choice([1, 1, 2]) :]  # some are delivered again
        for storer in storers:
            storer.process(*bodies)
    whole, partly = storers
    for name in ("sum", "late", "at.once"):
        assert partly.rows(name) == whole.rows(name)
        assert partly.rows(name)
    assert rejected(partly) == rejected(whole)
    with partly.database.read() as one, whole.database.read() as other:
        of = ["sum", "late"]
        left, right = gathered_samples.read(one, of), gathered_samples.read(other, of)
        assert {n: [s[1:] for s in found] for n, found in left.items()} == {
            n: [s[1:] for s in found] for n, found in right.items()
        }
