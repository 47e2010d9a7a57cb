import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.doors import plaintext
from htmengine.doors.plaintext import BadLine, Columns, Sample, parse_line, parse_lines

NAMES = st.text(st.characters(blacklist_categories=("Z", "C")), min_size=1, max_size=40).filter(
    lambda name: len(name.split()) == 1
)
VALUES = st.floats(allow_nan=False, allow_infinity=False)
TIMES = st.floats(plaintext.EARLIEST, plaintext.LATEST, allow_nan=False)
BLANKS = st.sampled_from([" ", "\t", "  ", "\u00a0", " \r\t"])


def test_a_line_is_name_value_and_timestamp():
    assert parse_line("test.metric 4.0 1386792175") == Sample("test.metric", 4.0, 1386792175.0)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", plaintext.FIELDS),
        ("m 1", plaintext.FIELDS),
        ("m 1 2 3", plaintext.FIELDS),
        ("m one 2", plaintext.VALUE),
        ("m 1_000 2", plaintext.VALUE),
        ("m 0x1p3 2", plaintext.VALUE),
        ("m nan 2", plaintext.NOT_FINITE),
        ("m inf 2", plaintext.NOT_FINITE),
        ("m -inf 2", plaintext.NOT_FINITE),
        ("m 1e999 2", plaintext.NOT_FINITE),
        ("m 1 12:30PM", plaintext.TIMESTAMP),
        ("m 1 1_000", plaintext.TIMESTAMP),
        ("m 1 nan", plaintext.TIMESTAMP_RANGE),
        ("m 1 inf", plaintext.TIMESTAMP_RANGE),
        ("m 1 1e20", plaintext.TIMESTAMP_RANGE),
        ("m 1 -30610224000.5", plaintext.TIMESTAMP_RANGE),
        ("m 1 253402300800", plaintext.TIMESTAMP_RANGE),
        ("m" * 256 + " 1 2", plaintext.LONG_NAME),
        ("a\x00b 1 2", plaintext.NAME_CHARACTERS),
        ("a\x7f 1 2", plaintext.NAME_CHARACTERS),
        ("a\ud800 1 2", plaintext.NAME_CHARACTERS),
        ("\ufeffcpu 1 2", plaintext.NAME_CHARACTERS),
        ("cpu\u200b 1 2", plaintext.NAME_CHARACTERS),
        ("cpu\u202egnp 1 2", plaintext.NAME_CHARACTERS),
        ("cpu\u3164 1 2", plaintext.NAME_CHARACTERS),
        ("a\x1b[31m 1 2", plaintext.NAME_CHARACTERS),
        ("m \u0663 2", plaintext.VALUE),
        ("m 1 \u0661\u0662", plaintext.TIMESTAMP),
        ("m \uff11 2", plaintext.VALUE),
    ],
)
def test_what_is_no_sample_is_refused_with_the_reason(line, reason):
    with pytest.raises(BadLine) as raised:
        parse_line(line)
    assert str(raised.value) == reason
    assert parse_lines([line]) == (Columns([], [], []), [(line, reason)])


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("m 1 -5", ("m", 1.0, -5)),
        ("m 1 -0.5", ("m", 1.0, -1)),
        ("m 1 1700000000.999", ("m", 1.0, 1700000000)),
        ("m 1 253402300799.9", ("m", 1.0, 253402300799)),
        ("m 1 -30610224000", ("m", 1.0, -30610224000)),
        ("m 1.7976931348623157e308 0", ("m", 1.7976931348623157e308, 0)),
        ("m -5e-324 0", ("m", -5e-324, 0)),
        ("  m\t1e3  2\r\n", ("m", 1000.0, 2)),
        ("m" * 255 + " 1 2", ("m" * 255, 1.0, 2)),
        ("größe.\U0001f600 1 2", ("größe.\U0001f600", 1.0, 2)),
        ("unassigned.\U000e0fff 1 2", ("unassigned.\U000e0fff", 1.0, 2)),
        ("snake_case 1 2", ("snake_case", 1.0, 2)),
    ],
)
def test_what_is_a_sample_is_taken_with_its_second_rounded_down(line, row):
    columns, rejected = parse_lines([line])
    assert not rejected
    assert list(zip(*columns, strict=True)) == [row]


def test_minus_zero_is_zero_because_databases_store_it_so():
    columns, _ = parse_lines(["m -0.0 1"])
    assert math.copysign(1.0, columns.values[0]) == 1.0
    assert math.copysign(1.0, parse_line("m -0 1").value) == 1.0


@given(NAMES, VALUES, TIMES, BLANKS, BLANKS)
def test_what_is_written_out_is_read_back_bit_for_bit(name, value, timestamp, blank, other):
    line = f"{name}{blank}{value!r}{other}{timestamp!r}"
    assert parse_line(line) == Sample(name, value, timestamp)
    columns, rejected = parse_lines([line])
    assert (columns, rejected) == (Columns([name], [value], [math.floor(timestamp)]), [])


@given(st.lists(st.one_of(st.text(), st.builds("{} {} {}".format, st.text(), VALUES, TIMES))))
def test_many_lines_give_what_each_gives_alone(lines):
    names, values, timestamps, rejected = [], [], [], []
    for line in lines:
        try:
            sample = parse_line(line)
        except BadLine as error:
            rejected.append((line, str(error)))
        else:
            names.append(sample.name)
            values.append(sample.value)
            timestamps.append(math.floor(sample.timestamp))
    assert parse_lines(lines) == (Columns(names, values, timestamps), rejected)
