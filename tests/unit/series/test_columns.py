from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from htmengine.errors import MisuseError
from tests.unit.series.files import columns, read, read_one, rows

DAY = 1404172800.0  # 2014-07-01
ROWS = [(DAY + 300 * i, 10.5 + i) for i in range(20)]
TIMES = [f"2014-07-01 {i // 12:02d}:{i % 12 * 5:02d}" for i in range(20)]


def table(*columns, header=None, delimiter=","):
    lines = [header] if header else []
    lines += [delimiter.join(map(str, fields)) for fields in zip(*columns, strict=True)]
    return "\n".join(lines) + "\n"


VALUES = [value for _, value in ROWS]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("header", ["time{}load", None])
def test_delimiter_and_header_are_found(delimiter, header):
    header = header and header.format(delimiter)
    assert read(table(TIMES, VALUES, header=header, delimiter=delimiter)) == ROWS


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm():
    data = table(TIMES, VALUES, header="timestamp,value").replace("\n", "\r\n")
    assert read(b"\xef\xbb\xbf" + data.encode()) == ROWS
    assert read(data.encode("utf-16")) == ROWS


def test_quoted_fields_may_hold_delimiters():
    quoted = [f'"{value:,.1f}"' for value in [1234.5] * 20]
    assert {value for _, value in read(table(TIMES, quoted, header='"the time","a, b"'))} == {1234.5}


def test_decimal_commas_between_semicolons():
    texts = [f"1.0{value:.1f}".replace(".", ",").replace("1,0", "1.0", 1) for value in VALUES]
    assert read(table(TIMES, texts, header="Zeit;Wert", delimiter=";")) == [(t, 1000 + v) for t, v in ROWS]


def test_names_decide_among_many_columns():
    cells = (range(20), VALUES, TIMES, [7] * 20, ["ok"] * 20)
    series = read_one(table(*cells, header="id,cpu,timestamp,Value,state"))
    assert columns(series) == ("timestamp", "Value")
    assert not series.notes


def test_without_telling_names_the_first_fitting_columns_are_taken_and_it_is_said():
    cells = (range(20), ["ok"] * 20, TIMES, VALUES, [7, 8] * 10)
    series = read_one(table(*cells, header="id,state,when,cpu,disk"))
    assert columns(series) == ("when", "cpu")
    assert len(series.notes) == 1
    assert "'cpu'" in series.notes[0]
    assert "'disk'" in series.notes[0]


@pytest.mark.parametrize("header", [None, "nth,when,cpu"])
def test_a_running_number_is_not_the_value(header):
    series = read_one(table(range(7, 27), TIMES, VALUES, header=header))
    assert series.value.column.number == 3
    assert series.notes == ()
    assert read_one(table(TIMES, range(20))).value.column.number == 2  # but if there is no other


def test_what_nobody_sees_of_a_name_is_written_out_in_notes():
    data = "time,\x00\x1b[2J a,b\n" + "".join(
        f"{60 * i + 1_700_000_000},{i % 5},{i % 3}\n" for i in range(20)
    )
    (note,) = read_one(data).notes
    assert r"\x00\x1b[2J a" in note


def test_the_note_on_many_columns_ends_in_one_full_stop():
    (note,) = read_one(table(TIMES, *[VALUES] * 9)).notes
    assert note.endswith("column 7 and more.")


def test_epoch_seconds_without_header_are_the_column_that_counts_upwards():
    series = read_one(table(VALUES, [int(time) for time, _ in ROWS]))
    assert (series.time.columns[0].number, series.value.column.number) == (2, 1)


def test_large_values_are_not_taken_for_times():
    values = [3e9 - 1e6 * i for i in range(20)]
    series = read_one(table(values, TIMES, header="memory,sampled"))
    assert columns(series) == ("sampled", "memory")


@pytest.mark.parametrize(("timestamp", "value"), [("b", "c"), ("2", "3"), ("B", "3")])
def test_columns_can_be_chosen_by_name_or_number(timestamp, value):
    data = table(TIMES, TIMES, VALUES, [1] * 20, header="a,b,c,value")
    series = read_one(data, timestamp=timestamp, values=(value,))
    assert (series.time.columns[0].number, series.value.column.number) == (2, 3)


def test_a_column_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(MisuseError, match="--value 'laod' is not a column") as caught:
        read_one(table(TIMES, VALUES, header="time,load"), values=("laod",))
    assert "2 'load'" in caught.value.hint


@pytest.mark.parametrize("data", ["", "\n\n", "time,value\n", "hello\n", "a,b\n1,2\n3,4\n"])
def test_a_file_without_times_and_values_is_refused(data):
    with pytest.raises(MisuseError):
        read_one(data)


def test_a_day_above_twelve_far_down_decides_the_order_of_day_and_month():
    times = [
        f"{day:02d}/01/2014 {minute // 60:02d}:{minute % 60:02d}"
        for day in range(1, 14)
        for minute in range(0, 1440, 5)
    ]
    series = read_one(table(times, [1] * len(times), header="time,value"))
    assert series.time.format.name == "day/month/year"
    assert not series.notes


INFLUX = """#group,false,false,true,true,false,false,true,true
#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string
#default,mean,,,,,,,
,result,table,_start,_stop,_time,_value,_field,host
"""


def test_the_annotations_of_an_influxdb_export_are_no_header():
    lines = [
        f",,0,2014-07-01T00:00:00Z,2014-07-02T00:00:00Z,{time.replace(' ', 'T')}:00Z,{value},usage,a"
        for time, value in zip(TIMES, VALUES, strict=True)
    ]
    series = read_one(INFLUX + "\n".join(lines))
    assert columns(series) == ("_time", "_value")
    assert rows(series) == ROWS
    assert (series.bad.count, series.notes) == (0, ())


@pytest.mark.parametrize("header", ["# written by sensor 7\n#\n", "# a, b\ntime,value\n", "#time,value\n"])
def test_a_line_that_begins_with_a_hash_is_a_comment_or_the_header(header):
    series = read_one(header + table(TIMES, VALUES) + "# the end, at last\n")
    assert rows(series) == ROWS
    assert series.bad.count == 0
    assert series.time.columns[0].name == ("time" if "time" in header else None)


CLOCKS = [time[11:] for time in TIMES]


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("Datum;Uhrzeit;Wert", (["01.07.2014"] * 20, CLOCKS, VALUES)),
        ("clock;value;day", ([f"{clock}:00.0" for clock in CLOCKS], VALUES, ["2014-07-01"] * 20)),
        ("<DATE>;<TIME>;<CLOSE>", (["2014.07.01"] * 20, CLOCKS, VALUES)),
        ("date;heure;v", (["2014/07/01"] * 20, [clock.replace(":", "h") for clock in CLOCKS], VALUES)),
        ("Datum;Zeit;Wert", (["01.07.2014"] * 20, [f"{clock} Uhr" for clock in CLOCKS], VALUES)),
        (None, (["1-Jul-2014"] * 20, [f"{clock}:00Z" for clock in CLOCKS], VALUES)),
    ],
)
def test_the_time_of_day_may_stand_in_a_column_of_its_own(header, columns):
    series = read_one(table(*columns, header=header, delimiter=";"))
    assert rows(series) == ROWS
    assert str(series.time.columns[1]) in series.notes[0]


def test_a_date_with_its_time_of_day_needs_no_other_column():
    series = read_one(table(TIMES, ["12:30"] * 20, VALUES, header="time,due,value"))
    assert len(series.time.columns) == 1
    series = read_one(table(TIMES, ["12:30"] * 20, VALUES, header="time,due,value"), timestamp="time")
    assert len(series.time.columns) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("time,value\n", "only a header line"),
        ("time;value\n", "only a header line"),
        ("hello\nyou\n", "no rows of two or more fields"),
    ],
)
def test_a_file_without_rows_is_told_from_one_of_another_kind(data, message):
    with pytest.raises(MisuseError, match=message):
        read_one(data)


def test_what_the_columns_hold_is_shown_when_none_fits():
    with pytest.raises(MisuseError, match="no column beside 'time'") as caught:
        read_one(table(TIMES, ["slow"] * 20, header="time,latency"))
    assert "2 'latency': slow" in caught.value.hint
    with pytest.raises(MisuseError, match="no column holds times") as caught:
        read_one(table(["monday"] * 20, VALUES, header="time,latency"))
    assert "1 'time': monday" in caught.value.hint
    with pytest.raises(
        MisuseError, match=r"no column beside 'time' \(column 1\), which --value names, holds times"
    ):
        read_one(table(TIMES, VALUES, header="time,value"), values=("time",))


def test_times_of_a_count_from_zero_are_said_to_be_such():
    series = read_one(table(range(0, 200, 10), VALUES, header="time,value"))
    assert "1970-01-01" in series.notes[0]


def test_junk_above_the_first_times_does_no_harm():
    data = table(["?"] * 60 + list(range(80)), VALUES * 7, header="time,value")
    assert read(data, timestamp="time")[0] == (0.0, VALUES[0])


def test_times_of_day_that_are_not_understood_are_not_left_out_in_silence():
    with pytest.raises(
        MisuseError,
        match=r"'time' .column 2. holds times of day that are not understood, for example 'noon 0'",
    ):
        read_one(
            table(["2014-07-01"] * 20, [f"noon {i}" for i in range(20)], VALUES, header="date,time,value")
        )


@pytest.mark.parametrize(
    ("header", "row", "start"),
    [
        ("year,week,load", lambda week: f"2024,{week}", "2024-01-01"),
        ("Year,DOY,load", lambda day: f"2024,{day}", "2024-01-01"),
        ("Year,DOY,Hour,load", lambda hour: f"2024,64,{hour}", "2024-03-04T01:00"),
    ],
)
def test_weeks_and_days_of_the_year_have_columns_of_their_own(header, row, start):
    step = {"week": 7 * 86400, "DOY": 86400, "Hour": 3600}[header.split(",")[-2]]
    first = datetime.fromisoformat(f"{start}+00:00").timestamp()
    data = "\n".join([header, *(f"{row(i)},{i % 7}.5" for i in range(1, 21))])
    assert read(data) == [(first + i * step, (i + 1) % 7 + 0.5) for i in range(20)]


def test_a_counter_is_not_the_value_where_there_is_another():
    data = "time,bytes,load\n" + "".join(f"{60 * i + 1_700_000_000},{i * i},{i % 5}\n" for i in range(50))
    assert columns(read_one(data)) == ("time", "load")


@pytest.mark.parametrize(("up", "down"), [("true", "false"), ("UP", "DOWN"), ("on", "off")])
def test_words_for_states_are_the_value_where_there_are_no_numbers(up, down):
    lines = [f"{60 * i + 1_700_000_000},{down if i % 7 == 0 else up}" for i in range(50)]
    assert [value for _, value in read("time,state\n" + "\n".join(lines))] == [
        float(i % 7 != 0) for i in range(50)
    ]
    numbered = read_one("time,state,load\n" + "\n".join(f"{line},{i % 5}" for i, line in enumerate(lines)))
    assert columns(numbered) == ("time", "load")


def test_errors_of_a_spreadsheet_are_missing_values():
    cells = ["1", "#DIV/0!", "2", "#VALUE!", ".", "3", "?", "no data", "4"]
    data = "time,load\n" + "".join(f"{60 * i + 1_700_000_000},{cell}\n" for i, cell in enumerate(cells))
    assert [value for _, value in read(data)] == [1.0, None, 2.0, None, None, 3.0, None, None, 4.0]


def test_decimal_commas_of_a_column_alone_are_no_delimiters():
    data = "wert\n" + "".join(f"{i},{i % 10}5\n" for i in range(20))
    assert read(data, every_s=60.0) == [(60.0 * i, float(f"{i}.{i % 10}5")) for i in range(20)]


def test_a_few_short_rows_are_broken_ones():
    lines = [f"{60 * i + 1_700_000_000},{i}{'' if i == 30 else ',ok'}" for i in range(50)]
    series = read_one("time,load,note\n" + "\n".join(lines))
    assert [row.reason for row in series.bad.first] == ["2 fields instead of 3"]


def test_a_name_of_a_column_may_come_as_a_shell_shows_it():
    data = "time,\\\\PC1\\cpu,\\\\PC1\\idle\n" + "".join(
        f"{60 * i + 1_700_000_000},{i},7\n" for i in range(9)
    )
    assert columns(read_one(data, values=(r"\\\\PC1\\idle",))) == ("time", r"\\PC1\idle")


def test_a_name_that_tells_two_zones_is_pointed_out():
    data = "MTU (CET/CEST),load\n" + "".join(f"2024-03-04 {i:02d}:00,{i}\n" for i in range(20))
    assert [note for note in read_one(data).notes if "CET/CEST" in note and "--tz" in note]
    assert not [note for note in read_one(data, tz=ZoneInfo("Europe/Berlin")).notes if "CET/CEST" in note]


@pytest.mark.parametrize(
    ("cells", "first", "step"),
    [
        ([f"{45355 + i / 288:.6f}" for i in range(20)], "2024-03-04", 300.0),
        ([f"{45355 + i}" for i in range(20)], "2024-03-04", 86400.0),
    ],
)
def test_days_of_a_spreadsheet_are_dates_and_it_is_said(cells, first, step):
    series = read_one("date,load\n" + "".join(f"{cell},{i % 3}\n" for i, cell in enumerate(cells)))
    start = datetime.fromisoformat(f"{first}+00:00").timestamp()
    assert series.timestamps.tolist() == pytest.approx([start + i * step for i in range(20)], abs=0.1)
    assert [note for note in series.notes if "days since 1899" in note and first in note]


def test_seconds_that_count_from_another_beginning_are_no_days_of_a_spreadsheet():
    series = read_one("time,load\n" + "".join(f"{45000 + 30 * i},{i % 3}\n" for i in range(20)))
    assert series.timestamps.tolist() == [45000.0 + 30 * i for i in range(20)]
