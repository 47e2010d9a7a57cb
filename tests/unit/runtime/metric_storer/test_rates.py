"""Running totals become rates and means, once each, whatever is delivered twice or ends in between."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine import messages
from htmengine.doors import queue_lines
from htmengine.doors.reasons import Reason
from htmengine.doors.samples import Kind, Refusals, Samples
from htmengine.repository import metrics, running_totals
from htmengine.repository.running_totals import Total
from htmengine.runtime.metric_storer.rates import samples_of
from tests.unit.runtime.metric_storer.storer import NOW, Killed, Storer, fed

T = NOW - 1000


def totals(*rows):
    """Return samples of (name, timestamp, value, kind, start, count), the last three if they are given."""
    samples = Samples.empty()
    for row in rows:
        samples.add(*row[:3], *(row[3:] or (Kind.COUNTER,)))
    return samples


def rates(*rows, known=None):
    refusals = Refusals()
    columns = samples_of(totals(*rows), {} if known is None else known, refusals)
    found = list(zip(columns.names, columns.timestamps, columns.values, strict=True))
    return found, [refusal.reason for refusal in refusals.details]


def test_a_counter_gives_its_growth_per_second_at_the_later_time():
    found, refused = rates(("m", T + 0.25, 100.0), ("m", T + 60.75, 221.0))
    assert found == [("m", T + 60, 2.0)]
    assert refused == [Reason.FIRST_OF_COUNTER]


def test_an_increase_is_the_growth_since_the_value_before():
    found, refused = rates(
        ("m", T + 0.25, 100.0, Kind.INCREASE, None, None),
        ("m", T + 60.75, 221.0, Kind.INCREASE, None, None),
        ("m", T + 90, 221.0, Kind.INCREASE, None, None),
        ("m", T + 150, 7.0, Kind.INCREASE, T + 100, None),
    )
    assert found == [("m", T + 60, 121.0), ("m", T + 90, 0.0), ("m", T + 150, 7.0)]
    assert refused == [Reason.FIRST_OF_COUNTER]


def test_a_counter_that_begins_again_gives_its_rate_from_its_start_if_that_is_known():
    assert rates(("m", T, 100.0), ("m", T + 60, 30.0))[0] == []
    again = ("m", T + 60, 30.0, Kind.COUNTER, T + 50)
    assert rates(("m", T, 100.0), again)[0] == [("m", T + 60, 3.0)]
    higher = ("m", T + 60, 200.0, Kind.COUNTER, T + 50)  # begun again, and further than before
    assert rates(("m", T, 100.0), higher)[0] == [("m", T + 60, 20.0)]


def test_after_a_reset_without_a_start_the_rates_go_on_from_the_new_total():
    found, _ = rates(("m", T, 100.0), ("m", T + 60, 30.0), ("m", T + 120, 90.0))
    assert found == [("m", T + 120, 1.0)]


def test_a_mean_is_the_growth_of_the_sum_by_that_of_the_count():
    found, refused = rates(
        ("m", T, 10.0, Kind.MEAN, None, 4.0),
        ("m", T + 60, 16.0, Kind.MEAN, None, 6.0),
        ("m", T + 120, 16.0, Kind.MEAN, None, 6.0),
    )
    assert found == [("m", T + 60, 3.0)]
    assert refused == [Reason.FIRST_OF_COUNTER, Reason.NOTHING_COUNTED]


def test_a_sum_may_fall_while_its_count_grows():
    assert rates(("m", T, 10.0, Kind.MEAN, None, 4.0), ("m", T + 60, 4.0, Kind.MEAN, None, 6.0))[0] == [
        ("m", T + 60, -3.0)
    ]


def test_a_series_that_ended_begins_anew():
    found, _ = rates(("m", T, 1.0), ("m", T + 60, 0.0, Kind.ENDED), ("m", T + 120, 5.0), ("m", T + 180, 65.0))
    assert found == [("m", T + 180, 1.0)]


def test_a_total_of_the_same_time_or_an_earlier_one_changes_nothing():
    known = {"m": Total(T, 100.0)}
    found, refused = rates(("m", T, 50.0), ("m", T - 1, 50.0), known=known)
    assert found == []
    assert refused == [Reason.DUPLICATE, Reason.OLDER]
    assert known == {"m": Total(T, 100.0)}


def test_a_growth_beyond_all_numbers_is_refused():
    found, refused = rates(("m", T, -1.7e308), ("m", T + 1e-3, 1.7e308))
    assert found == []
    assert refused[1:] == [Reason.NOT_FINITE]


VALUES = st.integers(0, 50).map(float)
ROWS = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.integers(0, 20).map(lambda s: T + float(s)),
        VALUES,
        st.sampled_from([Kind.COUNTER, Kind.ENDED]),
        st.none() | st.integers(0, 20).map(lambda s: T + float(s)),
        st.none(),
    ),
    max_size=20,
)


def naive(rows):
    """One series after the other, and each by the rules in words."""
    found = []
    for name in "ab":
        last = None
        for place, (_, time, value, kind, start, _) in enumerate(rows):
            if rows[place][0] != name or (last and time <= last[0]):
                continue
            if kind is Kind.ENDED:
                last = (time, None) if last else None
                continue
            previous, last = last, (time, value)
            if previous is None or previous[1] is None:
                continue
            if value >= previous[1] and not (start is not None and start > previous[0]):
                found.append((place, name, int(time), (value - previous[1]) / (time - previous[0])))
            elif start is not None and start < time:
                found.append((place, name, int(time), value / (time - start)))
    return [row[1:] for row in sorted(found)]


@given(ROWS)
def test_rates_agree_with_the_rules_in_words(rows):
    assert rates(*rows)[0] == naive(rows)


@given(ROWS, st.data())
def test_messages_that_come_again_give_no_other_rates(rows, data):
    known = {}
    found, _ = rates(*rows, known=known)
    again = data.draw(st.integers(0, len(rows)))
    assert rates(*rows[again:], known=known)[0] == []
    assert found == naive(rows)


# -- Lines on the queue


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b;k=v", "größe"]),
            st.floats(0, 4e9),
            st.floats(allow_nan=False, allow_infinity=False),
            st.sampled_from(Kind),
            st.none() | st.floats(0, 4e9),
            st.none() | st.floats(0, 1e15),
        )
    )
)
def test_totals_are_read_from_the_queue_bit_for_bit(rows):
    parsed = queue_lines.parse_totals(queue_lines.written(totals(*rows)).get(queue_lines.TOTALS, []))
    assert not parsed.refusals
    assert list(zip(*parsed.samples, strict=True)) == [row for row in rows if row[3] is not Kind.GAUGE]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "m 1 2",
        "m 1 2 gauge - -",
        "m x 2 counter - -",
        "m 1 2 counter - - -",
        "m nan 2 counter - -",
        "m;x 1 2 counter - -",
    ],
)
def test_a_bad_line_of_totals_costs_only_itself(line):
    parsed = queue_lines.parse_totals(["a 1 2 counter - -", line])
    assert parsed.samples.names == ["a"]
    assert parsed.refusals.errors == 1


# -- In the storer


def message(*rows):
    lines = queue_lines.written(totals(*rows))[queue_lines.TOTALS]
    return messages.encode_json(messages.MetricLines(protocol=queue_lines.TOTALS, data=lines))


def test_a_rate_becomes_a_row_and_goes_to_the_model(storer):
    uid = storer.monitor("m")
    storer.process(message(("m", T, 100.0)))
    assert storer.rows("m") == []
    outcome = storer.process(message(("m", T + 60, 220.0)), message(("m", T + 120, 280.0)))
    assert storer.rows("m") == [(T + 60, 2.0), (T + 120, 1.0)]
    assert fed(outcome) == [(uid, 1, T + 60, 2.0), (uid, 2, T + 120, 1.0)]


def test_the_first_value_of_a_counter_makes_no_metric(storer):
    storer.process(message(("m", T, 100.0)))
    assert storer.state("m") is None
    rejected = storer.stage.counters.snapshot()["rejected"]
    assert rejected[Reason.FIRST_OF_COUNTER]["count"] == 1


def test_samples_and_totals_of_one_delivery_are_both_stored(storer):
    line = messages.encode_json(messages.MetricLines(protocol="plain", data=[f"g 7 {T}"]))
    storer.process(message(("m", T, 1.0)), line, message(("m", T + 1, 2.0)))
    assert storer.rows("g") == [(T, 7.0)]
    assert storer.rows("m") == [(T + 1, 1.0)]


def test_a_total_of_the_far_future_is_refused_and_spoils_nothing(storer):
    storer.process(message(("m", T, 1.0)), message(("m", NOW + 1e6, 5.0)), message(("m", T + 1, 3.0)))
    assert storer.rows("m") == [(T + 1, 2.0)]


@pytest.mark.parametrize("step", ["metric_storer.committed", None])
def test_a_storer_that_dies_loses_no_rate_and_makes_none_twice(storer, step):
    uid = storer.monitor("m")
    batches = [message(("m", T + 60.0 * i, float(100 * i))) for i in range(6)]
    storer.process(*batches[:2])
    storer.dies_at = step
    if step:
        with pytest.raises(Killed):
            storer.process(*batches[2:4])
    storer.dies_at = None
    storer.start()
    outcome = storer.process(*batches[1:4], deliveries=2)
    later = storer.process(*batches[4:])
    expected = [(T + 60 * i, 100 / 60) for i in range(1, 6)]
    assert storer.rows("m") == expected
    with storer.database.read() as conn:
        assert running_totals.read(conn, ["m"]) == {"m": Total(T + 300.0, 500.0)}
    # What was committed and not passed on is asked for by the sweep, as with any row.
    sent = {rowid for _, rowid, _, _ in fed(outcome) + fed(later)}
    assert {4, 5} <= sent | {4}
    assert uid


def test_rates_wait_for_the_end_of_a_backfill_like_other_samples(storer):
    history = messages.Backfill(metric="m", token="t")
    lines = messages.MetricLines(protocol="plain", data=[f"m 1 {T - 600}"], backfill=history)
    storer.process(messages.encode_json(lines))
    storer.process(message(("m", T, 0.0)), message(("m", T + 60, 120.0)))
    done = messages.MetricLines(
        protocol="plain",
        data=[f"m 1 {T - 540}"],
        backfill=messages.Backfill(metric="m", token="t", done=True),
    )
    storer.process(messages.encode_json(done))
    assert storer.rows("m") == [(T - 600, 1.0), (T - 540, 1.0), (T + 60, 2.0)]


def test_a_deleted_metric_leaves_no_total(storer):
    storer.process(message(("m", T, 1.0), ("m", T + 1, 2.0)))
    with storer.database.write() as conn:
        assert not metrics.delete_metric(conn, storer.state("m").uid)
        assert running_totals.read(conn, ["m"]) == {}


def test_totals_are_kept_bit_for_bit(tmp_path):
    storer = Storer(tmp_path)
    kept = {"m": Total(T + 0.1, math.pi * 1e17, 1 / 3), "n": Total(T + 1 / 3, 5e-324, ended=True)}
    for _ in range(2):
        with storer.database.write() as conn:
            running_totals.store(conn, running_totals.read(conn, ["m", "n"]), kept)
    with storer.database.read() as conn:
        assert running_totals.read(conn, ["m", "n", "o"]) == kept
