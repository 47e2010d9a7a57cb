from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from htmengine.doors.reasons import Reason
from htmengine.repository import identity
from htmengine.repository.metrics import MetricState
from htmengine.repository.status import MetricStatus
from htmengine.runtime.metric_storer.numbering import NewSamples, number


def state(name, last_rowid=0, tail=None):
    return MetricState(f"uid-{name}", name, "custom", MetricStatus.UNMONITORED, 0, 0, last_rowid, 0, tail)


def columns(*samples):
    """Return columns of samples (name, value, timestamp)."""
    names, values, timestamps = [list(column) for column in zip(*samples, strict=True)] or ([], [], [])
    return NewSamples(names, timestamps, values)


def naive(samples, states):
    """Return the rows of each metric and the number of its refused samples, one metric and one sample at a time."""
    rows, refused = {}, Counter()
    for name, metric in states.items():
        rows[name] = []
        newest, rowid = metric.tail_timestamp, metric.last_rowid
        digest = metric.tail_digest or identity.start(rowid, newest)
        for timestamp, value in [(t, v) for n, v, t in samples if n == name]:
            if newest is not None and timestamp == newest:
                refused[Reason.DUPLICATE, name] += 1
            elif newest is not None and timestamp < newest:
                refused[Reason.OLDER, name] += 1
            else:
                newest, rowid = timestamp, rowid + 1
                (digest,) = identity.extended(digest, [timestamp], [value])
                rows[name].append((rowid, timestamp, value, digest))
    return rows, refused


def by_metric(rows, states):
    return {
        name: [
            tuple(row)
            for uid, *row in zip(
                rows.uids, rows.rowids, rows.timestamps, rows.values, rows.digests, strict=True
            )
            if uid == metric.uid
        ]
        for name, metric in states.items()
    }


SAMPLES = st.lists(
    st.tuples(st.sampled_from("abc"), st.floats(allow_nan=False, allow_infinity=False), st.integers(-5, 20))
)
STATES = st.fixed_dictionaries(
    {
        name: st.one_of(
            st.just(state(name)),
            st.builds(
                lambda last, tail, name=name: state(name, last, tail), st.integers(1, 9), st.integers(-3, 9)
            ),
        )
        for name in "abc"
    }
)


def test_of_two_values_for_one_time_the_first_wins_and_what_is_older_is_refused():
    tail, d = 1_000_000, 300
    times = [tail - d, tail + d, tail, tail, tail + 2 * d, tail + 2 * d, tail + 3 * d]
    found = number(
        columns(*[("m", float(i), time) for i, time in enumerate(times)]), {"m": state("m", 7, tail)}
    )
    assert found.timestamps == [tail + d, tail + 2 * d, tail + 3 * d]
    assert found.values == [1.0, 4.0, 6.0]
    assert found.rowids == [8, 9, 10]
    assert found.advances == [("uid-m", 7, 10, tail + 3 * d, found.digests[-1])]
    assert found.refused == {(Reason.OLDER, "m"): 3, (Reason.DUPLICATE, "m"): 1}
    assert found.examples == {
        (Reason.OLDER, "m"): f"m 0.0 {tail - d}",
        (Reason.DUPLICATE, "m"): f"m 5.0 {tail + 2 * d}",
    }


@given(SAMPLES, STATES)
def test_rows_agree_with_the_naive_twin(samples, states):
    found = number(columns(*samples), states)
    rows, refused = naive(samples, states)
    assert by_metric(found, states) == rows
    assert found.refused == refused
    assert found.advances == [
        (states[name].uid, states[name].last_rowid, rowid, timestamp, digest)
        for name in states
        for rowid, timestamp, _, digest in rows[name][-1:]
    ]


@given(SAMPLES, STATES, st.data())
def test_any_split_into_batches_gives_the_same_rows(samples, states, data):
    cut = data.draw(st.integers(0, len(samples)))
    whole = by_metric(number(columns(*samples), states), states)
    first = number(columns(*samples[:cut]), states)
    after = {
        name: metric._replace(last_rowid=to_rowid, tail_timestamp=tail, tail_digest=digest)
        for name, metric in states.items()
        for uid, _, to_rowid, tail, digest in [
            next(
                (advance for advance in first.advances if advance.uid == metric.uid),
                (metric.uid, 0, metric.last_rowid, metric.tail_timestamp, metric.tail_digest),
            )
        ]
    }
    second = number(columns(*samples[cut:]), after)
    before, behind = by_metric(first, states), by_metric(second, states)
    assert {name: before[name] + behind[name] for name in states} == whole


@given(SAMPLES, STATES)
def test_samples_that_come_again_give_no_rows(samples, states):
    first = number(columns(*samples), states)
    after = dict(states)
    for uid, _, to_rowid, tail, _ in first.advances:
        name = uid.removeprefix("uid-")
        after[name] = states[name]._replace(last_rowid=to_rowid, tail_timestamp=tail)
    assert number(columns(*samples), after).uids == []
