import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.repository import hours, metrics, retention, schema, series
from htmengine.repository.hours import Hour
from htmengine.repository.status import MetricStatus
from tests.unit.repository.rows import add_rows, add_scored, explained, rolled_back

HOUR = 3600
BEGIN = 1_700_000_000 // HOUR * HOUR


def expected(rows, first=1):
    """Return the hours of rows (time, value, log score), summed up as naively as can be."""
    found = {}
    for rowid, (time, value, score) in enumerate(rows, first):
        found.setdefault(math.floor(time / HOUR) * HOUR, []).append((rowid, value, score))
    return [
        Hour(
            hour,
            of[-1][0],
            len(of),
            min(value for _, value, _ in of),
            mean([value for _, value, _ in of]),
            max(value for _, value, _ in of),
            max(score for _, _, score in of),
            sum(score >= 0.5 for _, _, score in of),
        )
        for hour, of in sorted(found.items())
    ]


def mean(values):
    clipped = [max(-1e300, min(1e300, value)) for value in values]
    return pytest.approx(math.fsum(clipped) / len(clipped), rel=0, abs=1e-12 * max(map(abs, clipped)))


def sum_up(database, at_once=1000):
    """Sum up what is over, as the anomaly service does, and return how many rows that were."""
    with database.read() as conn:
        due = [metric for metric in hours.waiting(conn, limit=100) if metric.is_over]
        sums = [found for metric in due if (found := hours.over(conn, metric, rows=at_once))]
    with database.write() as conn:
        assert hours.store(conn, sums)
    return sum(some.to_rowid - some.from_rowid for some in sums)


def stored(database, uid):
    with database.read() as conn:
        return hours.stored(conn, uid, -math.inf, math.inf)


def all_hours(database, uid):
    with database.read() as conn:
        return series.hours_between(conn, uid, -math.inf, math.inf)


@pytest.fixture
def modelled(database, uid):
    with database.write() as conn:
        metrics.start_model(conn, uid, parameters=None, model_params="{}", status=MetricStatus.ACTIVE)
    return uid


def add(database, uid, rows):
    with database.write() as conn:
        add_scored(conn, uid, *zip(*rows, strict=True))


ROWS = [(BEGIN + 600 * row, float(row * row), (row % 7) / 10) for row in range(20)]  # six each hour


def test_an_hour_is_stored_when_it_is_over_and_told_before(database, modelled):
    for row in ROWS:
        add(database, modelled, [row])
        sum_up(database)
    assert stored(database, modelled) == expected(ROWS[:18])
    assert all_hours(database, modelled) == expected(ROWS)


def test_it_does_not_matter_in_which_parts_rows_come(database, modelled):
    begin = 0
    for size in (5, 1, 9, 3, 2):
        add(database, modelled, ROWS[begin : begin + size])
        begin += size
        sum_up(database)
        assert sum_up(database) == 0
        assert all_hours(database, modelled) == expected(ROWS[:begin])


@pytest.mark.parametrize("at_once", [1, 4, 6, 7, 100])
def test_many_rows_are_summed_up_in_parts(database, modelled, at_once):
    add(database, modelled, ROWS)
    while sum_up(database, at_once):
        assert all_hours(database, modelled) == expected(ROWS)
    assert stored(database, modelled)[:3] == expected(ROWS[:18])
    assert all_hours(database, modelled) == expected(ROWS)


def test_rows_that_are_summed_up_at_the_same_time_count_once(database, modelled):
    add(database, modelled, ROWS)
    with database.read() as conn:
        (due,) = hours.waiting(conn, limit=100)
        sums = hours.over(conn, due, rows=100)
    with database.write() as conn:
        assert hours.store(conn, [sums])
    with database.write() as conn:
        assert not hours.store(conn, [sums])
    assert stored(database, modelled) == expected(ROWS[:18])


def test_sums_of_scores_that_were_cleared_meanwhile_are_not_stored(database, modelled):
    add(database, modelled, ROWS)
    with database.read() as conn:
        (due,) = hours.waiting(conn, limit=100)
        sums = hours.over(conn, due, rows=100)
    with database.write() as conn:
        metrics.clear_model(conn, modelled)
    with database.write() as conn:
        assert not hours.store(conn, [sums])


@pytest.mark.parametrize("limit", [3, 5000])
def test_hours_go_with_the_scores_of_a_model_that_ends_and_come_back_with_the_next(database, modelled, limit):
    add(database, modelled, ROWS)
    sum_up(database)
    with database.write() as conn:
        metrics.end_model(conn, modelled)
        while metrics.clear_scores(conn, modelled, limit=limit):
            pass
        assert hours.stored(conn, modelled, -math.inf, math.inf) == []
    without = [hour._replace(max_log_score=None, alarms=0) for hour in expected(ROWS)]
    assert all_hours(database, modelled) == without


@pytest.mark.parametrize("summed_up", [False, True])
@pytest.mark.parametrize("limit", [4, 100])
def test_hours_stay_when_their_rows_are_removed(database, modelled, summed_up, limit):
    add(database, modelled, ROWS)
    if summed_up:
        sum_up(database)
    with database.write() as conn:
        before = BEGIN + HOUR + 1200  # in the middle of an hour
        kept = {(modelled, 0): [8, 20]}
        removed, uid = 0, ""
        while uid is not None:
            step = retention.remove_older(conn, before, limit=limit, checkpoints=lambda _: kept, from_uid=uid)
            removed, uid = removed + step.rows, step.next_uid
        assert removed == 8
    assert all_hours(database, modelled) == expected(ROWS)
    sum_up(database)
    assert all_hours(database, modelled) == expected(ROWS)
    with database.write() as conn:
        metrics.clear_model(conn, modelled)
        # The first hour is gone with its rows; what is left of the second has no scores any more.
        (first, second, *_) = series.hours_between(conn, modelled, -math.inf, math.inf)
    assert first == expected(ROWS)[0]
    assert (second.last_rowid, second.max_log_score) == (12, None)


def test_rows_of_a_metric_without_model_are_summed_up_when_they_are_removed(database, uid):
    with database.write() as conn:
        add_rows(conn, uid, 100)
        before = series.hours_between(conn, uid, -math.inf, math.inf)
        retention.remove_older(conn, 2**33, limit=1000, checkpoints=lambda _: {})
        assert conn.execute(schema.metric_data.select()).first() is None
        assert series.hours_between(conn, uid, -math.inf, math.inf) == before
    assert sum(hour.samples for hour in before) == 100
    assert {hour.max_log_score for hour in before} == {None}


@given(
    st.lists(
        st.tuples(
            st.integers(-10_000, 10_000),
            st.floats(-1e308, 1e308),
            st.floats(0, 1),
        ),
        min_size=1,
        max_size=40,
        unique_by=lambda row: row[0],
    )
)
def test_any_rows_are_summed_up_as_a_naive_reading_does(lasting_database, rows):
    rows = sorted(rows)
    with rolled_back(lasting_database) as conn:
        uid = metrics.create_custom(conn, ["any"])["any"]
        add_scored(conn, uid, *zip(*rows, strict=True))
        found = series.hours_between(conn, uid, -math.inf, math.inf)
    assert found == expected(rows)


def test_hours_of_a_time_are_chosen_by_when_they_begin(database, modelled):
    add(database, modelled, ROWS)
    with database.read() as conn:
        before = [series.hours_between(conn, modelled, BEGIN + a, BEGIN + b) for a, b in TIMES]
    sum_up(database)
    with database.read() as conn:
        assert [series.hours_between(conn, modelled, BEGIN + a, BEGIN + b) for a, b in TIMES] == before
    assert [[(hour.hour - BEGIN) // HOUR for hour in found] for found in before] == [
        [0, 1, 2, 3],
        [1, 2],
        [1, 2, 3],
        [],
    ]


TIMES = [(0, 4 * HOUR), (1, 3 * HOUR), (HOUR, 3 * HOUR + 0.5), (HOUR + 1, 2 * HOUR)]


def test_metrics_are_found_by_key(database, modelled):
    if database.dialect != "sqlite":
        return  # it decides by how many rows there are
    with database.write() as conn:
        other = metrics.create_custom(conn, ["other"])["other"]
        metrics.start_model(conn, other, parameters=None, model_params="{}", status=MetricStatus.ACTIVE)
    for one in (modelled, other):
        add(database, one, ROWS)
    sum_up(database, 4)
    with explained(database) as plans:
        sum_up(database, 4)  # more of the same hours
        with database.read() as conn:
            hours.waiting(conn, limit=100)
            hours.of_rows(conn, modelled, 1, 9)
            hours.stored(conn, modelled, 0, 1)
    found = "".join(plans())
    assert not [name for name in ("number", "sample", "score", "metric_hour") if f"SCAN {name}" in found]
