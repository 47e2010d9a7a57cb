import bz2
import errno
import gzip
import io
import lzma
import os
import random
import zipfile
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from htmengine.errors import ExplainedError, MisuseError
from htmengine.series import reader
from htmengine.series.lines import MAX_LINE_LENGTH
from tests.support.examples import examples
from tests.unit.series import shapes
from tests.unit.series.files import read, read_all, read_one, rows, stream

HEADER = "timestamp,value\n"
GOOD = [f"2014-07-01 {i // 60:02d}:{i % 60:02d},{i}" for i in range(60)]


def reasons(series):
    return [(row.line, row.reason) for row in series.bad.first]


def with_rows(*lines):
    """Ten good rows followed by these and ten more."""
    series = read_one(HEADER + "\n".join([*GOOD[:10], *lines, *GOOD[50:]]) + "\n")
    return series, rows(series)


@given(garbage=st.lists(st.tuples(st.integers(0, 60), st.binary(max_size=40)), max_size=12))
def test_a_bad_line_never_changes_what_its_neighbours_give(garbage):
    lines = [line.encode() for line in GOOD]
    for position, junk in sorted(garbage, reverse=True):
        # A line end within would make it two lines; without a date it cannot be a good row by chance.
        lines.insert(position, b"junk " + junk.replace(b"\n", b"").replace(b"\r", b""))
    series = read_one(HEADER.encode() + b"\n".join(lines))
    assert rows(series) == read(HEADER + "\n".join(GOOD))
    assert series.bad.count == len(garbage)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2014-07-01 00:10", "1 field instead of 2"),
        ("2014-07-01 00:10,1,5", "3 fields instead of 2"),
        ('2014-07-01 00:10,"1', "a quoted field does not end on its line"),
        ("2014-07-01 00:10,inf", "value 'inf': not a finite number"),
        ("2014-07-01 00:10,1\x00", "value '1\x00': not a number"),
        ("timestamps,value", "time 'timestamps': not a time written as year-month-day"),
        ("2041-07-01 00:00,3", "time 2041-07-01T00:00:00Z lies far off all others"),
        ("," * MAX_LINE_LENGTH + "x", f"longer than {MAX_LINE_LENGTH} characters"),
    ],
)
def test_a_bad_row_is_reported_with_its_line_and_reason(line, reason):
    series, found = with_rows(line)
    assert reasons(series) == [(12, reason)]
    assert len(found) == 20


def test_bad_rows_are_told_in_the_order_of_the_file():
    series, _ = with_rows("2041-07-01 00:00,3", "x,1", "y,1", "2041-07-01 00:00,3", "z,1")
    assert [row.line for row in series.bad.first] == [12, 13, 14, 15, 16]


def test_bytes_that_are_no_utf8_spoil_only_their_own_cell():
    data = b"time,value,place\n" + b"\n".join(line.encode() + b",M\xfcnchen" for line in GOOD)
    assert len(read(data)) == len(GOOD)


def test_missing_values_are_counted_apart():
    series, found = with_rows("2014-07-01 00:10,", "2014-07-01 00:11,NaN", "2014-07-01 00:12,-")
    assert (series.missing, series.bad.count) == (3, 0)
    assert [value for _, value in found].count(None) == 3


def test_a_repeated_time_is_accepted_and_said():
    series, found = with_rows(GOOD[9])
    assert (series.bad.count, len(found)) == (0, 21)
    assert series.notes == ("1 row has the time of the row before: each of them is read.",)


def test_blank_lines_and_headers_of_files_put_together_are_no_rows():
    series, found = with_rows("", "   ", ",", HEADER.strip())
    assert (series.bad.count, len(found)) == (0, 20)


def test_line_numbers_are_those_of_the_file():
    series = read_one("\n" + HEADER + "junk\n" + "\n".join(GOOD))
    assert series.lines.tolist() == list(range(4, 64))


def zipped(data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.csv", data)
    return file.getvalue()


PACKINGS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "zip": zipped,
}


@pytest.mark.parametrize("packed", [*PACKINGS, "gzip in gzip", "gzip in zip"])
def test_packed_data_is_recognised_by_its_content(packed):
    data = (HEADER + "\n".join(GOOD)).encode()
    for packing in packed.split(" in "):
        data = PACKINGS[packing](data)
    assert read(data) == read(HEADER + "\n".join(GOOD))


@pytest.mark.parametrize("packed", ["gzip", "bzip2", "xz", "zstd"])
def test_frames_one_after_the_other_are_one_file(packed):
    pack = PACKINGS[packed]
    data = pack((HEADER + "\n".join(GOOD[:30])).encode()) + pack(("\n" + "\n".join(GOOD[30:])).encode())
    assert read(data) == read(HEADER + "\n".join(GOOD))


@pytest.mark.parametrize("packed", ["gzip", "bzip2", "xz", "zstd"])
def test_damaged_data_is_an_error_that_says_how_far_it_was_read(packed):
    noise = "\n".join(f"2014-07-01 00:00,{random.Random(i).random()}" for i in range(4_000))
    data = PACKINGS[packed]((HEADER + noise).encode())
    with pytest.raises(ExplainedError, match=r"series.csv: the compressed data is damaged"):
        read(data[: len(data) // 2])


def test_a_zip_archive_that_only_later_programs_read_is_an_error():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", HEADER + "\n".join(GOOD))
    data = packed.getvalue().replace(b"PK\x01\x02\x14\x03\x14", b"PK\x01\x02\x14\x03\xff")
    with pytest.raises(ExplainedError, match="of a kind that is not read"):
        read_one(data)


def test_a_zip_archive_that_is_cut_off_is_an_error():
    data = zipped((HEADER + "\n".join(GOOD)).encode())
    with pytest.raises(ExplainedError, match="damaged"):
        read(data[: len(data) // 2])


def test_a_file_that_cannot_be_read_on_is_an_error_that_says_how_far_it_was_read():
    class Failing(io.RawIOBase):
        lines = iter([HEADER + GOOD[0] + "\n" + GOOD[1] + "\n"])

        def readable(self):
            return True

        def readinto(self, buffer):
            for text in self.lines:
                buffer[: len(text)] = text.encode()
                return len(text)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(
        ExplainedError, match=r"series.csv: cannot be read beyond line 3: Input/output error\."
    ):
        list(reader.read(io.BufferedReader(Failing()), "series.csv"))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG picture"),
        (b"SQLite format 3\x00" + bytes(100), "an SQLite database"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "an old Excel workbook"),
        (bytes(range(32)) * 20, "a binary file"),
        (b"x" * 257 + b"ustar\x0000" + bytes(200), "a tar archive"),
    ],
)
def test_a_file_of_another_kind_is_named_and_not_printed(data, what):
    with pytest.raises(MisuseError, match=what) as caught:
        read(data)
    assert (str(caught.value) + caught.value.hint).isprintable()


@pytest.mark.parametrize(
    "text",
    ['<?xml version="1.0"?>\n<xport>', "<!DOCTYPE html>\n<html>", " <table><tr><td>1</td></tr></table>"],
)
def test_markup_is_named(text):
    with pytest.raises(MisuseError, match="is XML or HTML, which is not read"):
        read_one(text)


def test_a_file_whose_rows_all_lack_values_is_refused():
    assert len(read("time,value\n2014-07-01,1\n2014-07-02,\n")) == 2
    with pytest.raises(MisuseError, match=r"not one row is usable \(2 without a value\)"):
        read("time,value\n2014-07-01,\n2014-07-02,\n", values=("value",))


@pytest.mark.parametrize(
    "document",
    [
        '{"a": [], "b": []}',
        '{"fields": ["time", "value"], "rows": [[], []]}',
        '[{"a": [], "b": []}]',
        '{"a": [], "b": []}\n{"a": [], "b": []}',
        "[[], []]",
    ],
)
def test_a_json_document_whose_columns_are_empty_is_refused(document):
    with pytest.raises(MisuseError):
        read(document)


def test_the_stream_is_left_open():
    with stream(HEADER + GOOD[0]) as file:
        assert len(list(reader.read(file, "series.csv"))) == 1
        assert not file.closed


def test_two_wrong_years_in_a_row_cost_no_other_row():
    series, found = with_rows("2041-07-01 00:00,3", "2041-07-01 00:01,3")
    assert [row.line for row in series.bad.first] == [12, 13]
    assert len(found) == 20


def test_a_row_that_comes_late_is_put_in_its_place_and_it_is_said():
    series, found = with_rows(GOOD[30], GOOD[20])
    assert [time for time, _ in found] == sorted(time for time, _ in found)
    assert (len(found), series.bad.count) == (22, 0)
    assert "1 row is out of the order of time, the first in line 13: the rows are sorted." in series.notes


def test_rows_of_exports_that_overlap_are_read_once():
    overlapping = read_one(HEADER + "\n".join([*GOOD[:40], *GOOD[20:]]))
    assert rows(overlapping) == read(HEADER + "\n".join(GOOD))
    assert "20 rows repeat time and value of another one: they are left out." in overlapping.notes


def test_rows_from_newest_to_oldest_are_turned_round_and_it_is_said():
    series = read_one(HEADER + "\n".join(GOOD[::-1]))
    assert rows(series) == read(HEADER + "\n".join(GOOD))
    assert series.lines[0] == 61
    assert series.notes == ("The rows run from the newest to the oldest: they are turned round.",)


@given(st.permutations(GOOD))
def test_the_order_of_the_rows_does_not_matter(lines):
    assert read(HEADER + "\n".join(lines)) == read(HEADER + "\n".join(GOOD))


def test_a_spreadsheets_note_on_the_delimiter_is_no_row():
    series = read_one("sep=,\n" + HEADER + "\n".join(GOOD))
    assert len(rows(series)) == 60
    assert series.bad.count == 0


def test_a_file_of_which_most_rows_are_dropped_is_refused_with_examples():
    data = HEADER + "\n".join([*GOOD[:5], *["junk"] * 20, *GOOD[5:10]])
    with pytest.raises(
        MisuseError, match=r"20 of 30 rows cannot be used \(line 7: 1 field instead of 2; line 8"
    ):
        read(data)


QUOTED = ['{},{},"ok\nby hand"', '{},{},"ok"', '{},{},"say ""a"",\n\nand b"']


def test_a_quoted_field_may_hold_line_ends():
    lines = [QUOTED[i % 3].format(*line.split(",")) for i, line in enumerate(GOOD)]
    series = read_one("timestamp,value,note\n" + "\n".join(lines))
    assert rows(series) == read(HEADER + "\n".join(GOOD))
    assert series.bad.count == 0
    assert series.lines[:4].tolist() == [2, 4, 5, 8]


def test_a_quote_that_does_not_end_costs_its_own_line_alone():
    lines = [f"{line},x" for line in GOOD]
    lines[20] = '2014-07-01 00:20,20,"x'
    lines[40] = '2014-07-01 00:40,40,x"'
    series = read_one("timestamp,value,note\n" + "\n".join(lines))
    assert [row.line for row in series.bad.first] == [22]
    assert len(series.lines) == 59


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_of_all_systems(encoding, end):
    lines = [f"{time};{value} °C" for time, value in (line.split(",") for line in GOOD)]
    data = end.join(["Zeit;Müll °C", *lines]).encode(encoding)
    series = read_one(data)
    assert rows(series) == read(HEADER + "\n".join(GOOD))
    assert series.value.column.name == "Müll °C"


STACKED = [f"2014-07-01 00:{i:02d},{host},{i + 100 * n}" for i in range(60) for n, host in enumerate("abc")]


@pytest.mark.parametrize(
    "order", [STACKED, sorted(STACKED, key=lambda line: line.split(",")[1]), STACKED[::-1]]
)
def test_of_several_series_one_is_read_and_it_is_said_how_to_read_the_others(order):
    series = read_one("time,host,value\n" + "\n".join(order))
    first = order[0].split(",")[1]
    assert {value // 100 for _, value in rows(series)} == {"abc".index(first)}
    assert "The file holds 3 series, told apart by 'host' (column 2)" in series.notes[0]
    assert "--by host reads each" in series.notes[0]


def test_each_series_of_a_file_is_read_when_asked_for():
    found = read_all("time,host,value\n" + "\n".join(STACKED), by=("host",))
    assert [series.label for series in found] == ["host=a", "host=b", "host=c"]
    assert [series.values[0] for series in found] == [0, 100, 200]
    (only,) = read_all("time,host,value\n" + "\n".join(STACKED), where=(("host", "b"),))
    assert only.values[0] == 100


def test_two_columns_may_tell_series_apart_together():
    lines = [
        f"2014-07-01 00:{i:02d},{host},{name},{i}"
        for i in range(30)
        for host in "ab"
        for name in ("cpu", "mem")
    ]
    found = read_all("time,host,name,value\n" + "\n".join(lines), all_series=True)
    assert [series.label for series in found] == [
        f"host={host}, name={name}" for host in "ab" for name in ("cpu", "mem")
    ]


def test_every_column_of_numbers_is_read_when_asked_for():
    lines = [f"{line.split(',')[0]},{i * i},{i * 2},{i * 3},ok" for i, line in enumerate(GOOD)]
    found = read_all("time,a,b,c,state\n" + "\n".join(lines), all_series=True)
    assert [series.label for series in found] == ["a", "b", "c"]
    assert found[2].values[7] == 21
    chosen = read_all("time,a,b,c,state\n" + "\n".join(lines), values=("c", "b"))
    assert [series.label for series in chosen] == ["c", "b"]


def test_rows_without_times_lie_apart_as_the_user_says():
    data = "value\n" + "\n".join(map(str, range(50)))
    assert read(data, every_s=300.0, start=1e9)[:2] == [(1e9, 0.0), (1e9 + 300, 1.0)]
    with pytest.raises(MisuseError) as caught:
        read(data)
    assert "--every 5m" in caught.value.hint


@pytest.mark.parametrize("written", ["-999", "-999.0", "-999.00"])
def test_a_value_that_stands_for_none_is_suspected_and_left_out_on_demand(written):
    lines = [line if i % 7 else line.split(",")[0] + f",{written}" for i, line in enumerate(GOOD)]
    suspicious = read_one(HEADER + "\n".join(lines))
    assert "add --missing -999" in suspicious.notes[0]
    mended = read_one(HEADER + "\n".join(lines), missing=("-999",))
    assert (mended.missing, mended.notes) == (9, ())


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_read_or_refused_in_words(data):
    with suppress(ExplainedError):
        read_all(data)


@given(
    st.lists(
        st.sampled_from(
            [
                "2014-07-01",
                " 00:05",
                ",",
                ";",
                "\t",
                " ",
                "\n",
                '"',
                "[",
                "{",
                ":",
                "1.5",
                "-",
                "é",
                "\x00",
                "GiB",
                "=",
                "/",
            ]
        ),
        max_size=60,
    )
)
def test_text_of_any_kind_is_read_or_refused_in_words(parts):
    for options in ({}, {"every_s": 1.0}, {"all_series": True}):
        with suppress(ExplainedError):
            read_all("".join(parts), **options)


@pytest.mark.parametrize("packed", [*PACKINGS, "workbook", "parquet", "json"])
@given(seed=st.integers(0, 2**32 - 1))
@examples(15)
def test_damaged_files_of_every_kind_are_read_or_refused_in_words(packed, seed):
    points = shapes.points(30)
    kinds = {
        "workbook": shapes.workbook,
        "parquet": shapes.parquet,
        "json": lambda given: shapes.prometheus(given).encode(),
    }
    if packed in kinds:
        data = bytearray(kinds[packed](points))
    else:
        data = bytearray(PACKINGS[packed]((HEADER + "\n".join(GOOD)).encode()))
    damage = random.Random(seed)
    for _ in range(damage.randint(1, 8)):
        at = damage.randrange(len(data))
        data[at : at + damage.randint(0, 2)] = damage.randbytes(damage.randint(0, 2))
    with suppress(ExplainedError):
        read_all(bytes(data))


@pytest.mark.parametrize(
    "line",
    [
        "{i},2014-07-01 00:{i:02d},{v}",
        "{i},14041728{i:02d},{v}",
        "2014-07-01 00:{i:02d},{v},1",
        "2014-07-01 00:{i:02d},{v},{epoch}",
    ],
)
def test_a_column_that_has_no_name_is_no_fraction(line):
    lines = [line.format(i=i, v=(i * i) % 37, epoch=1_404_172_800 + i) for i in range(60)]
    try:
        series = read_one("time,value\n" + "\n".join(lines))
    except MisuseError:
        return
    assert all(value == int(value) for value in series.values)
