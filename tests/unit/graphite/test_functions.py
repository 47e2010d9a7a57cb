"""Functions over series that are known in full: without graphite-web, and what it does not have."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.graphite.evaluation import Limits, RenderTimeout
from htmengine.graphite.functions import FUNCTIONS
from htmengine.graphite.series import AGGREGATIONS, Grid, consolidate, in_points
from htmengine.graphite.target import TargetError
from tests.unit.graphite.recorded import Recorded, evaluate, listed

SERIES = {
    "web.a.hits": [60, [3, None, 5, 4, 9, 0, -2, None, None, 6]],
    "web.b.hits": [60, [1, 2, 3, None, None, 2, 8, 8, 1, None]],
    "web.slow": [120, [100, 200, None, 50, 75]],
    "cpu;dc=a": [60, [80.0] * 10],
}


def values(text, start=-1, end=540, series=SERIES):
    return [one[3] for one in listed(evaluate(series, text, start, end))]


def test_series_of_different_steps_meet_at_the_longer_one():
    (one,) = listed(evaluate(SERIES, "sumSeries(web.a.hits, web.slow)", -1, 540))
    assert one[1:] == [0, 120, [103, 204.5, 4.5, 48, 81]]


def test_moving_windows_look_back_behind_the_begin():
    assert values("movingAverage(web.a.hits, 2)", 179, 360) == [[4.5, 6.5, 4.5, -1]]
    assert values("movingMax(web.a.hits, '3min')", 179, 360) == [[5, 9, 9, 9]]


def test_a_shift_reads_another_time_and_keeps_the_slots():
    (one,) = listed(evaluate(SERIES, "timeShift(web.a.hits, '2min')", 239, 420))
    assert one[1:] == [240, 60, [5, 4, 9, 0]]


def test_filled_gaps():
    assert values("keepLastValue(web.a.hits)") == [[3, 3, 5, 4, 9, 0, -2, -2, -2, 6]]
    assert values("keepLastValue(web.a.hits, 1)") == [[3, 3, 5, 4, 9, 0, -2, None, None, 6]]
    assert values("transformNull(web.a.hits, -1)") == [[3, -1, 5, 4, 9, 0, -2, -1, -1, 6]]


def test_parts_of_a_hundred():
    a, b = values("asPercent(web.{a,b}.hits)")
    assert a[0] == 75
    assert b[0] == 25
    assert values("asPercent(web.a.hits, 200)")[0][0] == 1.5
    assert values("asPercent(web.a.hits, web.b.hits)")[0][0] == 300
    assert {value for row in values("asPercent(constantLine(0))") for value in row} == {None}


def test_the_most_anomalous_are_those_with_the_highest_scores():
    found = evaluate(SERIES, "mostAnomalous(web.*.*, 1)", -1, 540)
    assert [one.name for one in found] == ["web.a.hits"]
    assert found[0].values[4] == 9
    assert values("alarms(alias(cpu;dc=a, 'x'))") == [[1.0] * 10]
    assert [one.name for one in evaluate(SERIES, "logScore(aliasByNode(web.a.hits, 1))")] == ["logScore(a)"]


def test_many_targets_are_read_in_one_go():
    source = Recorded({f"m.{i}": [60, [1.0] * 10] for i in range(50)})
    found = evaluate(source, f"group({','.join(f'scale(m.{i}, 2)' for i in range(50))})", -1, 540)
    assert all(one.values.tolist() == [2.0] * 10 for one in found)
    assert source.fetches == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "ends where a path"),
        ("foo(web.*)", 'unknown function "foo"; known: '),
        ("scale(web.*.*)", "factor is missing (at character 1)"),
        ("scale(web.*.*, 1, 2)", "takes 2 arguments and gets 3"),
        ("scale(web.*.*, facto=1)", "has no argument facto; it has seriesList, factor"),
        ("scale(web.*.*, 2, factor=1)", "factor is given twice"),
        ("scale(3, 2)", "seriesList must be series, not 3"),
        ("limit(web.*.*, 1.5)", "n must be a whole number (at character 16)"),
        ("constantLine(web.a)", "value must be a number (at character 14)"),
        ("scale(web.*.*, none)", "factor must be a number (at character 16)"),
        ("alias(web.*.*, none)", "newName must be a text in quotes"),
        ("sumSeries()", "at least one seriesLists is needed"),
        ("alias(web.*.*, 'x)", "the string has no closing quote (at character 16)"),
        ("web.{a", "a { has no }"),
        ("web|3", "a function with its ( ) must follow |"),
        ("3", "neither a path nor a function"),
        ("summarize(web.*.*, '1parsec')", "'parsec' is no unit"),
        ("summarize(web.*.*, '1h', 'mode')", "'mode' is no way to aggregate; there are average"),
        ("seriesByTag('dc')", "is no condition of a tag"),
        ("grep(web.*.*, '(')", "is no regular expression"),
        ("aliasSub(web.*.*, 'a', '\\3')", "the pattern has no group 3"),
        ("movingAverage(web.*.*, 100000)", "no more than 5,000"),
        ("logScore(scale(web.*.*, 2))", "only metrics have it"),
        ("a" * 20_001, "longer than 20000 characters"),
        ("absolute(" * 60 + "a" + ")" * 60, "more than 50 deep"),
        (f"{'{a,b}' * 12}", "stand for more than 1000 names"),
    ],
)
def test_what_is_wrong_with_a_target_is_told(text, said):
    with pytest.raises(TargetError) as caught:
        evaluate(SERIES, text)
    assert said in str(caught.value)


def test_a_request_costs_no_more_than_it_may():
    with pytest.raises(TargetError, match="more than 1 series"):
        evaluate(SERIES, "web.*.*", limits=Limits(series=1))
    with pytest.raises(RenderTimeout, match="longer than"):
        evaluate(SERIES, "web.*.*", limits=Limits(timeout_s=-1.0))


WORDS = st.sampled_from(
    [
        *sorted(FUNCTIONS.all),
        "web.*.hits",
        "(",
        ")",
        ",",
        "'",
        '"',
        "|",
        "{",
        "}",
        "=",
        "1",
        "-1.5",
        "true",
        "'5min'",
        "\\",
        " ",
        ";",
    ]
)


@given(st.lists(WORDS, max_size=12).map("".join))
def test_any_text_is_series_or_an_error_in_words(text):
    try:
        found = evaluate(SERIES, text, -1, 540)
    except TargetError:
        pass
    else:
        assert all(one.values.ndim == 1 and one.step > 0 for one in found)


# -- Slots become fewer


@given(
    st.lists(st.one_of(st.none(), st.integers(-100, 100)), max_size=40),
    st.integers(0, 20),
    st.integers(2, 9),
    st.sampled_from(sorted(AGGREGATIONS)),
)
def test_slots_are_those_of_a_naive_twin(numbers, offset, count, how):
    grid = Grid(offset * 60, 60, np.array(numbers, dtype=np.float64))
    found = consolidate(grid, count, how)
    step = 60 * count
    slots = {}
    for i, number in enumerate(numbers):
        slots.setdefault((offset + i) * 60 // step * step, []).append(number)
    if slots and min(slots) < offset * 60:
        del slots[min(slots)]
    expected = [(at, naive(how, [n for n in some if n is not None])) for at, some in sorted(slots.items())]
    ours = [(found.start + i * found.step, value) for i, value in enumerate(found.values.tolist())]
    assert len(ours) == len(expected)
    for (at, value), (their_at, their_value) in zip(ours, expected, strict=True):
        assert at == their_at
        assert (value != value) == (their_value is None)
        assert their_value is None or math.isclose(value, their_value, abs_tol=1e-9)


def naive(how, numbers):
    if not numbers:
        return None
    mean = sum(numbers) / len(numbers)
    return {
        "average": mean,
        "sum": sum(numbers),
        "min": min(numbers),
        "max": max(numbers),
        "first": numbers[0],
        "last": numbers[-1],
        "median": float(np.median(numbers)),
        "stddev": math.sqrt(sum((n - mean) ** 2 for n in numbers) / len(numbers)),
        "range": max(numbers) - min(numbers),
        "count": len(numbers),
    }[how]


@given(st.integers(0, 200), st.integers(1, 30))
def test_there_are_no_more_points_than_there_is_room_for(slots, most):
    assert len(in_points(Grid(60, 60, np.ones(slots)), most, "max").values) <= most
