import gzip
import math
import pickle
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.doors import wrong_door
from htmengine.doors.plaintext import Sample, parse_line, parse_lines
from htmengine.doors.reasons import BadSample, Reason
from htmengine.doors.samples import EARLIEST, LATEST, Kind, shortened


def rows(samples):
    return list(zip(samples.names, samples.values, samples.timestamps, strict=True))


NAMES = st.text(st.characters(blacklist_categories=("Z", "C")), min_size=1, max_size=40).filter(
    lambda name: len(name.split()) == 1 and ";" not in name and not name.endswith('"}')
)
VALUES = st.floats(allow_nan=False, allow_infinity=False)
TIMES = st.floats(EARLIEST, LATEST, allow_nan=False)
BLANKS = st.sampled_from([" ", "\t", "  ", "\u00a0", " \r\t"])


def test_a_line_is_name_value_and_timestamp():
    assert parse_line("test.metric 4.0 1386792175") == Sample("test.metric", 1386792175.0, 4.0)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", Reason.FIELDS),
        ("m 1", Reason.FIELDS),
        ("m 1 2 3", Reason.FIELDS),
        ("m one 2", Reason.VALUE),
        ("m 1_000 2", Reason.VALUE),
        ("m 0x1p3 2", Reason.VALUE),
        ("m nan 2", Reason.NOT_FINITE),
        ("m inf 2", Reason.NOT_FINITE),
        ("m -inf 2", Reason.NOT_FINITE),
        ("m 1e999 2", Reason.NOT_FINITE),
        ("m 1 12:30PM", Reason.TIMESTAMP),
        ("m 1 1_000", Reason.TIMESTAMP),
        ("m 1 nan", Reason.TIMESTAMP_RANGE),
        ("m 1 inf", Reason.TIMESTAMP_RANGE),
        ("m 1 1e20", Reason.TIMESTAMP_RANGE),
        ("m 1 -30610224000.5", Reason.TIMESTAMP_RANGE),
        ("m 1 253402300800", Reason.TIMESTAMP_RANGE),
        ("m" * 256 + " 1 2", Reason.LONG_NAME),
        ("a\x00b 1 2", Reason.NAME_CHARACTERS),
        ("a\x7f 1 2", Reason.NAME_CHARACTERS),
        ("a\ud800 1 2", Reason.NAME_CHARACTERS),
        ("\ufeffcpu 1 2", Reason.NAME_CHARACTERS),
        ("cpu\u200b 1 2", Reason.NAME_CHARACTERS),
        ("cpu\u202egnp 1 2", Reason.NAME_CHARACTERS),
        ("cpu\u3164 1 2", Reason.NAME_CHARACTERS),
        ("a\x1b[31m 1 2", Reason.NAME_CHARACTERS),
        ("m \u0663 2", Reason.VALUE),
        ("m 1 \u0661\u0662", Reason.TIMESTAMP),
        ("m \uff11 2", Reason.VALUE),
    ],
)
def test_what_is_no_sample_is_refused_with_the_reason(line, reason):
    with pytest.raises(BadSample) as raised:
        parse_line(line)
    assert str(raised.value) == reason
    samples, refusals = parse_lines(["a 1 2", line, "b 3 4"])
    assert samples.names == ["a", "b"]
    assert [(refusal.reason, refusal.example) for refusal in refusals.details] == [(reason, shortened(line))]


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("m 1 -5", ("m", 1.0, -5)),
        ("m 1 -0.5", ("m", 1.0, -0.5)),
        ("m 1 1700000000.999", ("m", 1.0, 1700000000.999)),
        ("m 1 253402300799.9", ("m", 1.0, 253402300799.9)),
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
def test_what_is_a_sample_is_taken_with_the_fraction_of_its_second(line, row):
    samples, refusals = parse_lines([line])
    assert not refusals
    assert rows(samples) == [row]


def test_minus_zero_is_zero_because_databases_store_it_so():
    samples, _ = parse_lines(["m -0.0 1"])
    assert math.copysign(1.0, samples.values[0]) == 1.0
    assert math.copysign(1.0, parse_line("m -0 1").value) == 1.0


@given(NAMES, VALUES, TIMES, BLANKS, BLANKS)
def test_what_is_written_out_is_read_back_bit_for_bit(name, value, timestamp, blank, other):
    line = f"{name}{blank}{value!r}{other}{timestamp!r}"
    assert parse_line(line) == Sample(name, timestamp, value)
    samples, refusals = parse_lines([line])
    assert rows(samples) == [(name, value, timestamp)]
    assert not refusals


@given(st.lists(st.one_of(st.text(), st.builds("{} {} {}".format, st.text(), VALUES, TIMES))))
def test_many_lines_give_what_each_gives_alone(lines):
    expected, refused = [], []
    for line in lines:
        try:
            sample = parse_line(line)
            expected.append((sample.name, sample.value, sample.timestamp))
        except BadSample as error:
            refused.append((error.reason, line))
    samples, refusals = parse_lines(lines)
    assert rows(samples) == expected
    assert len(samples.kinds) == len(samples.starts) == len(samples.counts) == len(expected)
    assert set(samples.kinds) <= {Kind.GAUGE}
    assert len(refused) == refusals.errors
    for (reason, line), refusal in zip(refused, refusals.details, strict=False):
        assert refusal.reason in (reason, wrong_door.of_line(line))


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("cpu;host=b;dc=a 1 2", "cpu;dc=a;host=b"),
        ('cpu{host="b",dc="a"} 1 2', "cpu;dc=a;host=b"),
        ("größe;ort=köln 1 2", "größe;ort=köln"),
        ("plain} 1 2", "plain}"),
    ],
)
def test_tags_are_brought_into_canonical_order(line, name):
    assert parse_line(line).name == name
    assert parse_lines([line]).samples.names == [name]


@pytest.mark.parametrize("line", ["cpu;host 1 2", "cpu;=b 1 2", "cpu;host=~b 1 2", 'cpu{host=b"} 1 2'])
def test_a_malformed_tag_refuses_its_line(line):
    samples, refusals = parse_lines([line, "a 1 2"])
    assert samples.names == ["a"]
    assert dict(refusals.counts) == {Reason.BAD_TAG: 1}


def test_lines_that_senders_were_seen_to_send_are_taken():
    lines = [
        "foo.bar;env=x_y 1e+21 1795890183\n",  # graphyte
        "web01_example_com.memory.memory-free 5718609920 1795890258\r\n",  # collectd
        "carbon.relays.host.destinations.127_0_0_1:2003.sent 12 1795890258\n",  # carbon-c-relay
    ]
    assert len(parse_lines(lines).samples.names) == 3


def test_a_long_line_is_cut_in_the_middle_so_that_value_and_time_are_seen():
    refusal = parse_lines([f"{'m' * 400} 12 1700000000"]).refusals.details[0]
    assert refusal.example.endswith(" 12 1700000000")
    assert len(refusal.example) <= 200


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("POST /api/v1/write HTTP/1.1", Reason.HTTP_HERE),
        ("put sys.cpu.user 1356998400 42.5 host=webserver01 cpu=0", Reason.OPENTSDB_HERE),
        ("cpu,host=a usage=1.5,idle=2 1700000000000000000", Reason.INFLUX_HERE),
        ("cpu usage=1.5", Reason.INFLUX_HERE),
        ("page.views:1|c|@0.1|#env:prod", Reason.STATSD_HERE),
        ("<34>1 2023-10-11T22:14:15Z host su - ID47 - failed", Reason.SYSLOG_HERE),
        ("<34>Oct 11 22:14:15 host su: failed", Reason.SYSLOG_HERE),
        ('[{"name": "a", "value": 1}]', Reason.JSON_HERE),
    ],
)
def test_a_line_of_another_protocol_is_refused_by_its_name(line, reason):
    refusals = parse_lines([line]).refusals
    assert dict(refusals.counts) == {reason: 1}
    assert reason.remedy


@pytest.mark.parametrize(
    ("begin", "reason"),
    [
        (gzip.compress(b"a 1 2", mtime=0), Reason.GZIP_HERE),
        (b"\x16\x03\x01\x02\x00\x01\x00", Reason.TLS_HERE),
        *[
            (struct.pack(">I", len(frame)) + frame, Reason.PICKLE_HERE)
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
            for frame in [pickle.dumps([("a", (1, 2))], protocol)]
        ],
        (b"\xff\xfe", None),
        (b"cpu.user 1 2", None),
    ],
)
def test_bytes_of_another_protocol_are_recognised(begin, reason):
    assert wrong_door.of_bytes(begin) is reason


@given(NAMES, VALUES, TIMES)
def test_a_line_that_is_a_sample_is_never_taken_for_another_protocol(name, value, timestamp):
    assert not parse_lines([f"{name} {value!r} {timestamp!r}"]).refusals
