import pytest

from htmengine.series import numbers, units


@pytest.mark.parametrize(
    ("cells", "expected", "unit"),
    [
        (["1.5 GiB", "980 MiB"], [1.5 * 2**30, 980 * 2**20], "B"),
        (["100KB", "1MB", "5B"], [1e5, 1e6, 5.0], "B"),
        (["1.2 kB/s", "3 MB/s"], [1200.0, 3e6], "B/s"),
        (["3 Mbit/s", "1 Gbit/s"], [3e6, 1e9], "bit/s"),
        (["12 ms", "1.2 s", "300 µs"], [0.012, 1.2, 0.0003], "s"),
        (["2.5 hours", "30 mins"], [9000.0, 1800.0], "s"),
        (["1h 5m", "30s", "2m 3s"], [3900.0, 30.0, 123.0], "s"),
        (["5m", "1h", "30s"], [300.0, 3600.0, 30.0], "s"),
        (["PT5.2S", "PT1M", "P1DT2H3M"], [5.2, 60.0, 93780.0], "s"),
        (["<0.1 ms", "USD 12 ms", ">= 3 ms"], [0.0001, 0.012, 0.003], "s"),
        (["250m", "1", "1500m"], [0.25, 1.0, 1.5], ""),
        (["512Mi", "1Gi"], [512 * 2.0**20, 2.0**30], ""),
        (["980", "1.2 K", "1.5 Mil"], [980.0, 1200.0, 1.5e6], ""),
        (["512 req/s", "1.2 kreq/s"], [512.0, 1200.0], "req/s"),
        (["23.4 °C", "-1 °C"], [23.4, -1.0], "°C"),
        (["35 %", "36.5%"], [35.0, 36.5], ""),
        (["$1,234.50", "$7"], [1234.5, 7.0], ""),
        (["1,46 GiB", "2 GiB"], [1.46 * 2**30, 2.0**31], "B"),
        (["\u22125", "3"], [-5.0, 3.0], ""),
    ],
)
def test_units_of_a_column_come_to_one_scale(cells, expected, unit):
    found = numbers.detect(cells, delimiter=";")
    assert [found.parse(cell) for cell in cells] == pytest.approx(expected)
    assert found.unit == unit


def test_units_that_count_different_things_are_no_column_of_numbers():
    cells = ["3 apples", "4 pears", "5 GiB"]
    assert numbers.count_numbers(numbers.detect(cells, delimiter=","), cells) < 3


def test_a_word_behind_a_number_is_no_unit_where_other_cells_have_none():
    found = numbers.detect(["1", "2", "3 broken", "4"], delimiter=",")
    with pytest.raises(ValueError, match="not a number"):
        found.parse("3 broken")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1:02:03.5", 3723.5), ("02:03", 123.0), ("1 day, 0:02:03", 86523.0), ("2-00:00:01", 172801.0)],
)
def test_durations_as_clocks_show_them(text, seconds):
    assert units.clock(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "1x", "1h 5", "1 GiB"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="not a"):
        units.duration(text)
