import errno
import gzip
import io
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.errors import ExplainedError, MisuseError
from htmengine.series import reader as reader_module
from htmengine.series.lines import MAX_LINE_LENGTH
from htmengine.series.reader import SeriesReader
from tests.unit.series.files import open_series, read, rows

HEADER = "timestamp,value\n"
GOOD = [f"2014-07-01 {i // 60:02d}:{i % 60:02d},{i}" for i in range(60)]


def reasons(reader):
    return [(row.line, row.reason) for row in reader.bad.first]


def with_rows(*lines):
    """A reader of ten good rows followed by these and ten more, all read."""
    reader = open_series(HEADER + "\n".join([*GOOD[:10], *lines, *GOOD[50:]]) + "\n")
    return reader, rows(reader)


@given(garbage=st.lists(st.tuples(st.integers(0, 60), st.binary(max_size=40)), max_size=12))
def test_a_bad_line_never_changes_what_its_neighbours_give(garbage):
    lines = [line.encode() for line in GOOD]
    for position, junk in sorted(garbage, reverse=True):
        # A line end within would make it two lines; without a date it cannot be a good row by chance.
        lines.insert(position, b"junk " + junk.replace(b"\n", b"").replace(b"\r", b""))
    reader = open_series(HEADER.encode() + b"\n".join(lines))
    assert rows(reader) == read(HEADER + "\n".join(GOOD))
    assert reader.bad.count == len(garbage)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2014-07-01 00:10", "1 field instead of 2"),
        ("2014-07-01 00:10,1,5", "3 fields instead of 2"),
        ('2014-07-01 00:10,"1', "a quoted field does not end on its line"),
        ("2014-07-01 00:10,inf", "value 'inf': not a finite number"),
        ("2014-07-01 00:10,1\x00", "value '1\\x00': not a number"),
        ("timestamp,value", "time 'timestamp': not a time written as year-month-day"),
        ("2014-07-01 00:00,3", "time goes back"),
        ("2041-07-01 00:00,3", "time is ahead of the rows after it"),
        ("," * MAX_LINE_LENGTH + "x", f"longer than {MAX_LINE_LENGTH} characters"),
    ],
)
def test_a_bad_row_is_reported_with_its_line_and_reason(line, reason):
    reader, found = with_rows(line)
    assert reasons(reader) == [(12, reason)]
    assert len(found) == 20


def test_bytes_that_are_no_utf8_spoil_only_their_own_cell():
    data = b"time,value,place\n" + b"\n".join(line.encode() + b",M\xfcnchen" for line in GOOD)
    assert len(read(data)) == len(GOOD)


def test_missing_values_are_counted_apart():
    reader, found = with_rows("2014-07-01 00:10,", "2014-07-01 00:11,NaN", "2014-07-01 00:12,-")
    assert (reader.missing, reader.bad.count) == (3, 0)
    assert [value for _, value in found].count(None) == 3


def test_a_repeated_time_is_accepted():
    reader, found = with_rows(GOOD[9])
    assert (reader.bad.count, len(found)) == (0, 21)


def test_blank_lines_are_no_rows():
    reader, found = with_rows("", "   ", ",")
    assert (reader.bad.count, len(found)) == (0, 20)


@pytest.mark.parametrize("chunk_rows", [1, 7, 1000])
def test_the_rows_do_not_depend_on_how_they_are_cut_into_chunks(monkeypatch, chunk_rows):
    data = HEADER + "\n".join([*GOOD[:9], "2041-01-01 00:00,1", *GOOD[9:30], GOOD[3], *GOOD[30:]])
    whole = read(data)
    monkeypatch.setattr(reader_module, "CHUNK_ROWS", chunk_rows)
    assert read(data) == whole


def test_line_numbers_are_those_of_the_file():
    reader = open_series("\n" + HEADER + "junk\n" + "\n".join(GOOD))
    (chunk,) = reader.chunks()
    assert chunk.lines.tolist() == list(range(4, 64))


def test_gzip_is_recognised_by_its_content():
    assert read(gzip.compress((HEADER + "\n".join(GOOD)).encode())) == read(HEADER + "\n".join(GOOD))


def test_damaged_gzip_is_an_error_that_says_how_far_it_was_read():
    noise = "\n".join(f"2014-07-01 00:00,{random.Random(i).random()}" for i in range(10_000))
    data = gzip.compress((HEADER + noise).encode())
    with pytest.raises(ExplainedError, match=r"damaged after line \d+"):
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
        SeriesReader(io.BufferedReader(Failing()), "series.csv")


def test_a_file_whose_rows_all_lack_values_is_refused():
    reader = open_series("time,value\n2014-07-01,1\n2014-07-02,\n")
    assert len(rows(reader)) == 2
    reader.require_rows(2)
    with pytest.raises(MisuseError, match="not one row is usable"):
        reader.require_rows(1)


def test_the_stream_is_left_open():
    with io.BufferedReader(io.BytesIO((HEADER + GOOD[0]).encode())) as stream:
        assert len(rows(SeriesReader(stream, "series.csv"))) == 1
        assert not stream.closed


def test_two_wrong_years_in_a_row_cost_no_other_row():
    reader, found = with_rows("2041-07-01 00:00,3", "2041-07-01 00:01,3")
    assert [row.line for row in reader.bad.first] == [12, 13]
    assert len(found) == 20


def test_an_hour_that_comes_twice_is_dropped_the_second_time():
    repeated = GOOD[20:40]
    reader = open_series(HEADER + "\n".join([*GOOD[:40], *repeated, *GOOD[40:]]))
    assert len(rows(reader)) == 61  # the last of the repeated rows repeats the time of the row last kept
    assert {row.reason for row in reader.bad.first} == {"time goes back"}


def test_a_spreadsheets_note_on_the_delimiter_is_no_row():
    reader = open_series("sep=,\n" + HEADER + "\n".join(GOOD))
    assert len(rows(reader)) == 60
    assert reader.bad.count == 0


def test_most_lines_may_be_bad():
    reader = open_series(HEADER + GOOD[0] + "\n" + "junk\n" * 20 + GOOD[1])
    assert len(rows(reader)) == 2
    assert reader.bad.count == 20
