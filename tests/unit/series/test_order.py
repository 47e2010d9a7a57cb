import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from htmengine.series.columns import Column
from htmengine.series.keys import combine, find
from htmengine.series.order import put_in_order
from htmengine.series.sentinels import suspect


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40))
def test_rows_come_out_in_the_order_of_time_and_none_is_lost_but_copies_and_strays(times):
    timestamps = np.array(times, dtype=float)
    values = np.arange(len(times), dtype=float)
    order = put_in_order(timestamps, values)
    assert (np.diff(timestamps[order.rows]) >= 0).all()
    assert sorted([*order.rows, *order.strays]) == list(range(len(times)))
    assert order.copies == 0


def test_rows_of_one_time_stay_in_the_order_of_the_file():
    order = put_in_order(np.array([2.0, 1.0, 2.0, 1.0, 3.0]), np.arange(5.0))
    assert order.rows.tolist() == [1, 3, 0, 2, 4]
    assert (order.moved, order.repeated) == (2, 2)


def test_a_wrong_year_is_a_stray_and_a_row_that_is_late_is_none():
    times = np.arange(100.0)
    times[40] = 1e9
    times[60] = 30.0
    order = put_in_order(times, np.arange(100.0))
    assert (order.strays.tolist(), order.moved) == ([40], 1)


def test_series_are_told_apart_by_what_rows_of_one_time_differ_in():
    host, note = Column(2, "host"), Column(3, "note")
    times = np.repeat(np.arange(50.0), 2)
    codes = {note: np.arange(100), host: np.tile([0, 1], 50)}
    key = find(times, codes, [])
    assert key is not None
    assert key.columns == (host,)
    assert find(np.arange(100.0), {host: np.tile([0, 1], 50)}, []) is None


def test_pairs_are_numbered_in_the_order_in_which_they_appear():
    assert combine(np.array([1, 1, 0, 1]), np.array([0, 2, 0, 0])).tolist() == [0, 1, 2, 0]


def test_a_value_that_programs_write_for_none_is_suspected_if_it_lies_far_off():
    calm = np.sin(np.arange(100.0)) + 20
    for sentinel in (-999.0, 9999.0, 65535.0, -1.0):
        values = calm.copy()
        values[::10] = sentinel
        found = suspect(values)
        assert found is not None
        assert (found.value, found.rows) == (sentinel, 10)
    values = calm.copy()
    values[::10] = 500.0  # an incident is no sentinel
    assert suspect(values) is None
    assert suspect(calm) is None
