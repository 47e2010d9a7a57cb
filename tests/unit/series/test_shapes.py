from datetime import UTC, datetime, timedelta

import pytest

from htmengine.errors import MisuseError
from tests.unit.series import shapes
from tests.unit.series.files import read_all, read_one

POINTS = shapes.points()


def agree(series, *, fraction=0.0, scale=1.0, given=POINTS):
    assert [round(time, 3) for time in series.timestamps.tolist()] == [
        moment.timestamp() + fraction for moment, _ in given
    ]
    assert series.values.tolist() == pytest.approx([value * scale for _, value in given])
    assert series.bad.count == 0


@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_what_a_tool_writes_is_read(shape):
    agree(read_one(shapes.SHAPES[shape](POINTS)))


@pytest.mark.parametrize("written", shapes.TIMES)
def test_a_time_as_a_program_writes_it_is_read(written):
    fraction = {"US, fraction": 0.49, "Apache, errors": 0.123}.get(written, 0.0)
    agree(read_one(shapes.as_written(shapes.TIMES[written])(POINTS)), fraction=fraction)


def test_values_with_units_are_read_in_their_base():
    series = read_one(shapes.grafana_units(POINTS))
    agree(series, scale=2.0**30)
    assert series.value.format.unit == "B"


def test_a_workbook_is_read():
    pytest.importorskip("openpyxl")
    agree(read_one(shapes.workbook(POINTS)))


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_parquet_file_is_read(unit):
    pytest.importorskip("pyarrow")
    agree(read_one(shapes.parquet(POINTS, unit)))


@pytest.mark.parametrize("written", shapes.TIMES_WITHOUT_YEAR)
def test_dates_without_a_year_are_of_that_of_the_start(written):
    text = shapes.as_written(shapes.TIMES_WITHOUT_YEAR[written])(POINTS)
    series = read_one(text, start=POINTS[0][0].timestamp())
    agree(series)
    assert "The dates have no year: 2024 is that of the first row" in series.notes[0]
    assert "--start 2024-01-01 sets the year" in read_one(text).notes[0]


@pytest.mark.parametrize("newest_first", [False, True])
def test_dates_without_a_year_go_on_in_the_next_one(newest_first):
    days = [(datetime(2023, 12, 20, tzinfo=UTC) + timedelta(hours=6 * i), float(i * i)) for i in range(400)]
    given = days[::-1] if newest_first else days
    text = shapes.as_written(shapes.TIMES_WITHOUT_YEAR["syslog"])(given)
    agree(read_one(text, start=given[0][0].timestamp()), given=days)


def test_a_number_in_the_words_of_a_log_is_the_value():
    lines = [
        f"{shapes.TIMES_WITHOUT_YEAR['syslog'](m)} web1 app[12]: request done latency={v} ms"
        for m, v in POINTS
    ]
    series = read_one("\n".join(lines), start=POINTS[0][0].timestamp())
    agree(series)
    assert series.value.column.name == "latency"


def test_rows_that_have_more_fields_are_no_decimal_commas():
    lines = [f"{shapes.epoch(m)},{v}" for m, v in POINTS]
    for place in (60, 30, 3):
        lines.insert(place, "garbage,,")
    series = read_one("\n".join(["time,value", *lines]))
    assert (series.bad.count, series.notes) == (3, ())
    assert series.values.tolist() == [v for _, v in POINTS]


def test_a_time_with_signs_around_it_stands_above_its_rows():
    lines = [f"=== {m:%Y-%m-%d %H:%M:%S} ===\nqueue 5\nload {v}" for m, v in POINTS]
    first, second = read_all("\n".join(lines), all_series=True)
    assert first.values.tolist() == [5.0] * len(POINTS)
    agree(second)


def test_of_two_clocks_the_one_that_moves_is_the_time():
    day, _ = POINTS[0]
    lines = [
        f" {m:%H:%M:%S} up 12 days,  3:04,  2 users,  load average: {v:.2f}, 0.50, 0.30" for m, v in POINTS
    ]
    agree(read_one("\n".join(lines), start=day.timestamp()))


@pytest.mark.parametrize(
    "written", ["{:16.9f} {:12,}      cycles     #    1.234 GHz", "{:.9f},{},,cycles,1000123,100.00,,"]
)
def test_fractions_of_seconds_that_grow_are_times_from_a_beginning(written):
    counts = [50_000 + 1_000 * (i % 7) for i in range(60)]
    lines = [written.format((i + 1) * 1.0001, count) for i, count in enumerate(counts)]
    series = read_one("\n".join(["# started on Mon Mar  4 00:00:00 2024", "", *lines]))
    assert series.timestamps.tolist() == [round((i + 1) * 1.0001, 9) for i in range(60)]
    assert series.values.tolist() == counts
    assert "seconds since a beginning" in series.notes[0]


@pytest.mark.parametrize(
    "text", ["---\nname: a\n", "rows:\n  - time: 2024-03-04T00:00:00Z\n    value: 1\n" * 9]
)
def test_yaml_is_named(text):
    with pytest.raises(MisuseError, match="YAML, which is not read"):
        read_one(text)


def test_names_may_stand_below_those_of_groups_and_sizes_are_no_times():
    series = read_one(shapes.dstat(POINTS), start=POINTS[0][0].timestamp())
    agree(series)
    assert series.value.column.name == "usr"


@pytest.mark.parametrize(
    ("header", "days", "times"),
    [
        ("date,00:00,12:00,18:00", ["2024-03-04", "2024-03-05"], [0, 12, 18, 24, 36, 42]),
        ("site,date," + ",".join(map(str, range(1, 25))), ["x,04.03.2024", "x,05.03.2024"], list(range(48))),
    ],
)
def test_clocks_in_the_header_go_with_the_days_below(header, days, times):
    columns = len(times) // 2
    text = "\n".join(
        [
            header,
            *(
                f"{day}," + ",".join(str(row * columns + at) for at in range(columns))
                for row, day in enumerate(days)
            ),
        ]
    )
    series = read_one(text)
    start = datetime(2024, 3, 4, tzinfo=UTC).timestamp()
    assert series.timestamps.tolist() == [start + 3600 * hour for hour in times]
    assert series.values.tolist() == list(range(len(times)))
    assert "The times are joined from 'date' and the header: a row has several values." in series.notes


def test_months_in_the_header_go_with_the_years_below():
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    rows = [
        f"{2000 + y}," + ",".join(str(12 * y + m) if y < 9 or m < 5 else "" for m in range(12))
        for y in range(10)
    ]
    series = read_one("\n".join(["Year," + ",".join(months), *rows]))
    moments = [datetime(2000 + i // 12, i % 12 + 1, 1, tzinfo=UTC).timestamp() for i in range(120)]
    assert series.timestamps.tolist() == moments
    assert series.values.tolist()[:113] == list(range(113))
    assert series.missing == 7


def test_times_may_stand_in_the_header():
    moments = ",".join(f"{m:%Y-%m-%d %H:%M}" for m, _ in POINTS)
    text = "\n".join(
        [
            f"metric,host,{moments}",
            *(f"load,{host}," + ",".join(str(v * n) for _, v in POINTS) for n, host in ((1, "a"), (2, "b"))),
        ]
    )
    agree(read_one(text, where=(("host", "a"),)))
    first, second = read_all(text, all_series=True)
    assert (first.label, second.label) == ("host=a", "host=b")
    agree(second, scale=2.0)
    assert "The times stand in the header: a row is a series." in first.notes
