import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from htmengine.messages import Backfill
from htmengine.runtime.metric_storer.backfill import TIMEOUT_S, Batch, expired, partition
from htmengine.runtime.metric_storer.numbering import NewSamples


def batch(*samples, backfill=None):
    """Return a batch of samples (name, value, timestamp)."""
    names, values, timestamps = [list(column) for column in zip(*samples, strict=True)] or ([], [], [])
    return Batch(NewSamples(names, timestamps, values), backfill)


def mark(token="t", *, metric="m", done=False):
    return Backfill(metric=metric, token=token, done=done)


def nothing(name):
    return []


def rows(columns):
    return list(zip(columns.names, columns.values, columns.timestamps, strict=True))


def test_without_a_backfill_everything_becomes_rows():
    plan = partition([batch(("a", 1.0, 1), ("m", 2.0, 1)), batch(("a", 3.0, 2))], {}, nothing)
    assert rows(plan.samples) == [("a", 1.0, 1), ("m", 2.0, 1), ("a", 3.0, 2)]
    assert rows(plan.held) == []
    assert plan.tokens == {}


def test_live_samples_of_the_metric_wait_and_those_of_others_do_not():
    plan = partition(
        [batch(("m", 1.0, 1), backfill=mark()), batch(("m", 9.0, 90), ("a", 2.0, 90))], {}, nothing
    )
    assert rows(plan.samples) == [("m", 1.0, 1), ("a", 2.0, 90)]
    assert rows(plan.held) == [("m", 9.0, 90)]
    assert plan.tokens == {"m": "t"}


def test_lines_of_other_metrics_in_a_message_of_a_backfill_are_live():
    plan = partition([batch(("m", 1.0, 1), ("n", 2.0, 1), backfill=mark())], {"n": "u"}, nothing)
    assert rows(plan.samples) == [("m", 1.0, 1)]
    assert rows(plan.held) == [("n", 2.0, 1)]


def test_at_the_end_what_waited_becomes_rows_in_the_order_of_time_behind_the_history():
    plan = partition(
        [
            batch(("m", 5.0, 92)),
            batch(("m", 2.0, 2), backfill=mark(done=True)),
            batch(("m", 7.0, 93)),
        ],
        {"m": "t"},
        lambda name: [(91, 4.0), (90, 3.0), (91, 4.5)],
    )
    assert rows(plan.samples) == [
        ("m", 2.0, 2),
        ("m", 3.0, 90),
        ("m", 4.0, 91),
        ("m", 4.5, 91),
        ("m", 5.0, 92),
        ("m", 7.0, 93),
    ]
    assert rows(plan.held) == []
    assert plan.tokens == {"m": None}


def test_a_second_run_takes_over_and_the_end_of_the_first_ends_nothing():
    plan = partition(
        [batch(backfill=mark("second")), batch(backfill=mark("first", done=True)), batch(("m", 1.0, 9))],
        {"m": "first"},
        nothing,
    )
    assert plan.tokens == {"m": "second"}
    assert rows(plan.held) == [("m", 1.0, 9)]


def test_an_end_that_comes_again_changes_nothing():
    plan = partition([batch(backfill=mark(done=True)), batch(("m", 1.0, 9))], {}, nothing)
    assert plan.tokens == {"m": None}
    assert rows(plan.samples) == [("m", 1.0, 9)]


def test_what_waits_is_taken_out_once_even_if_the_backfill_ends_twice_in_one_batch():
    plan = partition(
        [
            batch(backfill=mark(done=True)),
            batch(backfill=mark("u")),
            batch(("m", 2.0, 8)),
            batch(backfill=mark("u", done=True)),
        ],
        {"m": "t"},
        lambda name: [(7, 1.0)],
    )
    assert rows(plan.samples) == [("m", 1.0, 7), ("m", 2.0, 8)]


def test_a_backfill_is_over_when_its_sender_has_been_silent_too_long():
    assert not expired(1000.0, 1000.0 + TIMEOUT_S - 1, 0.0)
    assert expired(1000.0, 1000.0 + TIMEOUT_S, 0.0)


def test_a_backfill_is_not_over_while_its_messages_may_be_waiting_in_the_queue():
    assert not expired(1000.0, 5000.0, 4000.0)
    assert expired(1000.0, 5000.0, 3900.0)
    assert not expired(1000.0, 5000.0, math.inf)


MESSAGES = st.lists(
    st.one_of(
        st.builds(
            lambda names, first: batch(
                *[(name, float(first + i), first + i) for i, name in enumerate(names)]
            ),
            st.text("mna", max_size=4),
            st.integers(0, 50),
        ),
        st.builds(
            lambda metric, token, done, first, count: batch(
                *[(metric, float(first + i), first + i) for i in range(count)],
                backfill=Backfill(metric=metric, token=token, done=done),
            ),
            st.sampled_from("mn"),
            st.sampled_from("tu"),
            st.booleans(),
            st.integers(0, 50),
            st.integers(0, 4),
        ),
    ),
    max_size=12,
)


def run(messages, cuts):
    """Return the samples that become rows and those that wait in the end, with cuts between transactions."""
    held, tokens, taken = {}, {}, []
    edges = [0, *sorted(cuts), len(messages)]
    for first, last in pairwise(edges):
        plan = partition(messages[first:last], tokens, lambda name: held.pop(name, []))
        for name, token in plan.tokens.items():
            if token is None:
                tokens.pop(name, None)
            else:
                tokens[name] = token
        for name, value, timestamp in rows(plan.held):
            held.setdefault(name, []).append((timestamp, value))
        taken += rows(plan.samples)
    return taken, {name: waiting for name, waiting in held.items() if waiting}, tokens


@given(MESSAGES, st.data())
def test_any_split_into_transactions_gives_the_same_and_loses_nothing(messages, data):
    cuts = data.draw(st.lists(st.integers(0, len(messages)), max_size=4))
    whole = run(messages, [])
    assert run(messages, cuts) == whole
    taken, held, _ = whole
    everything = [sample for message in messages for sample in rows(message.samples)]
    waiting = [(name, value, timestamp) for name in held for timestamp, value in held[name]]
    assert sorted(taken + waiting) == sorted(everything)
