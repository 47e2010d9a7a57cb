import pickle
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.doors import graphite_pickle
from htmengine.doors.graphite_pickle import Reader, parse
from htmengine.doors.reasons import Reason
from htmengine.doors.samples import EARLIEST, LATEST

NOW = 1_700_000_000.5
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
NAMES = st.text("abcXYZ.-_09äß", min_size=1, max_size=20)
TIMES = st.one_of(st.integers(0, LATEST), st.floats(EARLIEST, LATEST, allow_nan=False)).filter(
    lambda t: t != -1
)
VALUES = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**70), 2**70))
POINTS = st.lists(st.tuples(NAMES, st.tuples(TIMES, VALUES)), max_size=20)


def framed(payload):
    return struct.pack(">I", len(payload)) + payload


def rows(parsed):
    samples = parsed.samples
    return list(zip(samples.names, samples.timestamps, samples.values, strict=True))


@given(POINTS, st.sampled_from(PROTOCOLS))
def test_points_are_read_in_every_protocol(points, protocol):
    parsed = parse(pickle.dumps(points, protocol), NOW)
    assert rows(parsed) == [(name, time, float(value)) for name, (time, value) in points]
    assert not parsed.refusals


@given(st.lists(POINTS, max_size=4), st.lists(st.integers(0, 3000)), st.sampled_from(PROTOCOLS))
def test_any_cut_of_the_bytes_gives_the_same_samples(frames, cuts, protocol):
    sent = b"".join(framed(pickle.dumps(points, protocol)) for points in frames)
    reader, found, at = Reader(), [], 0
    for cut in [*sorted(cut for cut in cuts if cut < len(sent)), len(sent)]:
        found += rows(reader.feed(sent[at:cut], NOW))
        at = cut
    assert found == [(name, time, float(value)) for points in frames for name, (time, value) in points]
    assert not reader.finish()


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_and_nothing_is_raised(data):
    parsed = parse(data, NOW)
    assert parsed.samples.names or parsed.refusals or data[-1:] == b"."
    reader = Reader()
    reader.feed(data, NOW)
    reader.finish()


@given(POINTS, st.sampled_from(PROTOCOLS), st.data())
def test_damaged_frames_raise_nothing(points, protocol, data):
    frame = bytearray(pickle.dumps(points, protocol))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    parse(bytes(frame), NOW)


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        (("m", (1, float("nan"))), Reason.NOT_FINITE),
        (("m", (1, 10**400)), Reason.NOT_FINITE),
        (("m", (1e20, 1)), Reason.TIMESTAMP_RANGE),
        (("m", (10**400, 1)), Reason.TIMESTAMP_RANGE),
        (("m", (1, "1_0")), Reason.VALUE),
        (("m", (1, True)), Reason.VALUE),
        (("m", (None, 1)), Reason.TIMESTAMP),
        (("m", 1, 2), Reason.NOT_A_POINT),
        ("mm", Reason.NOT_A_POINT),
        (7, Reason.NOT_A_POINT),
        ((7, (1, 2)), Reason.NO_NAME),
        (("", (1, 2)), Reason.NO_NAME),
        (("m" * 256, (1, 2)), Reason.LONG_NAME),
        (("m;tag", (1, 2)), Reason.BAD_TAG),
        (("m\u200b", (1, 2)), Reason.NAME_CHARACTERS),
        ((b"\xff", (1, 2)), Reason.NOT_UTF8),
    ],
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_bad_point_costs_only_itself(point, reason, protocol):
    if protocol < 3 and isinstance(point, tuple) and isinstance(point[0], bytes):
        return  # these protocols have no bytes: Python calls a function for them
    parsed = parse(pickle.dumps([("a", (1, 2)), point, ("b", (3, 4))], protocol), NOW)
    assert rows(parsed) == [("a", 1, 2), ("b", 3, 4)]
    assert [(refusal.reason, refusal.record) for refusal in parsed.refusals.details] == [(reason, 2)]


@pytest.mark.parametrize(
    "point",
    [
        ["m", [1, 2.5]],
        ("m", ("1", "2.5")),
        (b"m", (b"1", b"2.5")),
        ("m", (1, "2.5e0")),
    ],
)
def test_lists_and_numbers_as_text_are_taken_too(point):
    assert rows(parse(pickle.dumps([point], 4), NOW)) == [("m", 1, 2.5)]


def test_frames_of_python_2_are_read():
    # pickle.dumps([("cpu.user", (1700000000, 1.5)), ("b", (1700000000L, 2L))], 2) by Python 2.7, and the same in protocol 0
    two = (
        b"\x80\x02]q\x00(U\x08cpu.userq\x01J\x00\xf1SeG?\xf8\x00\x00\x00\x00\x00\x00\x86q\x02\x86q\x03"
        b"U\x01bq\x04\x8a\x04\x00\xf1Se\x8a\x01\x02\x86q\x05\x86q\x06e."
    )
    zero = (
        b"(lp0\n(S'cpu.user'\np1\n(I1700000000\nF1.5\ntp2\ntp3\na(S'b'\np4\n(L1700000000L\nL2L\ntp5\ntp6\na."
    )
    expected = [("cpu.user", 1700000000, 1.5), ("b", 1700000000, 2)]
    assert rows(parse(two, NOW)) == expected
    assert rows(parse(zero, NOW)) == expected


def test_a_time_of_minus_one_is_the_time_of_arrival():
    assert rows(parse(pickle.dumps([("m", (-1, 2))]), NOW)) == [("m", NOW, 2)]


def test_tags_become_part_of_the_canonical_name():
    assert rows(parse(pickle.dumps([("m;z=1;a=2", (1, 2))]), NOW)) == [("m;a=2;z=1", 1, 2)]


class Evil:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was run",))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_imports_or_calls_is_no_list_of_points(protocol):
    parsed = parse(pickle.dumps([("a", (1, 2)), Evil()], protocol), NOW)
    assert not parsed.samples.names
    assert dict(parsed.refusals.counts) == {Reason.NOT_POINTS: 1}


def test_a_frame_that_is_no_list_leaves_its_neighbours():
    good = framed(pickle.dumps([("a", (1, 2))]))
    parsed = Reader().feed(good + framed(pickle.dumps({"a": 1})) + good, NOW)
    assert rows(parsed) == [("a", 1, 2)] * 2
    assert dict(parsed.refusals.counts) == {Reason.NOT_POINTS: 1}


def test_a_frame_longer_than_the_limit_ends_the_connection():
    reader = Reader(max_frame=100)
    parsed = reader.feed(framed(bytes(101))[:5], NOW)
    assert reader.broken
    assert dict(parsed.refusals.counts) == {Reason.LONG_FRAME: 1}
    assert not reader.feed(framed(pickle.dumps([("a", (1, 2))])), NOW).samples.names


def test_a_connection_that_ends_within_a_frame_is_counted():
    reader = Reader()
    reader.feed(framed(pickle.dumps([("a", (1, 2))]))[:-1], NOW)
    assert dict(reader.finish().counts) == {Reason.UNFINISHED: 1}
    assert not reader.finish()


def test_nine_bytes_take_no_seven_hundred_megabytes():
    tracemalloc.start()
    try:
        parse(b"\x80\x02Nr" + struct.pack("<I", 50_000_000) + b".", NOW)
        parse(b"(" * 1000 + b".", NOW)
        parse(b"X\xff\xff\xff\x7fabc.", NOW)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_point_that_is_endless_when_written_out_is_refused_in_no_time():
    doubled = b"]" + b"q\x00h\x00\x86" * 300
    parsed = parse(b"](" + doubled + b"e.", NOW)
    assert dict(parsed.refusals.counts) == {Reason.NO_NAME: 1}


def test_the_opcodes_agree_with_pythons_on_what_points_are_made_of():
    assert all(graphite_pickle._HANDLERS[code[0]] for code in graphite_pickle._OPCODES)
    assert not {b"c", b"R", b"o", b"i", b"\x81", b"\x92", b"\x93", b"b", b"P", b"Q"} & set(
        graphite_pickle._OPCODES
    )
