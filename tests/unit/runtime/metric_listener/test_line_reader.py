from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine import foreign
from htmengine.doors.plaintext import parse_lines
from htmengine.doors.reasons import Reason
from htmengine.runtime.metric_listener.line_reader import LineReader
from htmengine.service.counters import Counters

LONGEST = 10


def read(*pieces, finish=True):
    counters = Counters()
    reader = LineReader(LONGEST, counters, clock=lambda: 1.5)
    lines = [line for piece in pieces for line in reader.feed(piece)]
    if finish:
        reader.finish()
    return lines, {reason: found["count"] for reason, found in counters.snapshot()["rejected"].items()}


def naive(data):
    """Return the lines and the counts of refused ones: the whole data, split at once."""
    *complete, rest = data.split(b"\n")
    lines, refused = [], {}
    for line in complete:
        if len(line.removesuffix(b"\r")) > LONGEST:
            refused[Reason.LONG_LINE] = refused.get(Reason.LONG_LINE, 0) + 1
            continue
        try:
            text = line.decode().strip()
        except UnicodeDecodeError:
            refused[Reason.NOT_UTF8] = refused.get(Reason.NOT_UTF8, 0) + 1
            continue
        if text:
            fields = text.split()
            lines.append(" ".join([*fields[:2], "1"]) if fields[2:] == ["-1"] else text)
    return lines, refused, rest


def test_a_timestamp_of_minus_one_is_the_time_at_which_the_line_comes_in():
    assert read(b"a -1 -1\nb\t2  -1\r\nc 3 -12\nd -1\ne 1 1-1\n -1\n") == (
        ["a -1 1", "b 2 1", "c 3 -12", "d -1", "e 1 1-1", "-1"],
        {},
    )


def test_lines_may_come_in_any_pieces():
    assert read(b"a 1", b" 2\r", b"\nb 1 2\n\n", b" \r\nc", b"\n") == (["a 1 2", "b 1 2", "c"], {})


def test_a_line_that_ends_with_the_connection_is_counted_and_not_used():
    assert read(b"a 1 2\nb 1 17000") == (["a 1 2"], {Reason.UNFINISHED: 1})


def test_a_blank_remnant_is_nothing():
    assert read(b"a 1 2\n \r") == (["a 1 2"], {})


def test_a_line_that_is_too_long_costs_no_other_line():
    assert read(b"a 1 2\n" + b"x" * 11 + b"\nb 1 2\n") == (["a 1 2", "b 1 2"], {Reason.LONG_LINE: 1})
    assert read(b"x" * 10 + b"\r\n") == (["x" * 10], {})
    assert read(b"x" * 10 + b"\r\n" + b"y" * 11 + b"\n") == (["x" * 10], {Reason.LONG_LINE: 1})


def test_an_endless_line_is_not_kept():
    counters = Counters()
    reader = LineReader(LONGEST, counters)
    for _ in range(1000):
        assert reader.feed(b"x" * 1000) == []
        assert len(reader._rest) <= LONGEST + 1
    assert reader.feed(b"x\nb 1 2\n") == ["b 1 2"]
    assert counters.rejected == 1


def test_a_line_that_is_not_utf8_costs_no_other_line():
    assert read(b"a 1 2\n\xff\xfe 1 2\nb\xc3\xa4 1 2\n") == (["a 1 2", "bä 1 2"], {Reason.NOT_UTF8: 1})


@given(
    st.lists(
        st.binary(max_size=60)
        | st.text(
            st.sampled_from("a1.-e_ \t\r\n\x00\x1b\x85\ufeff\u200b\u0663\u202e\u3164é"), max_size=60
        ).map(str.encode),
        max_size=4,
    )
)
def test_whatever_comes_is_a_sample_or_is_refused_with_a_reason(pieces):
    reader = LineReader(4096, Counters(), clock=lambda: 1.5)
    for lines in (*map(reader.feed, pieces), reader.datagram(b"".join(pieces))):
        samples, refusals = parse_lines(lines)
        assert len(samples.names) + refusals.errors == len(lines)
        assert not any(map(foreign.has_unseen, samples.names))
    reader.finish()


def test_separators_of_unicode_do_not_end_a_line():
    assert read("a\u2028b 1\n".encode()) == (["a\u2028b 1"], {})


def test_the_last_line_of_a_datagram_needs_no_end():
    reader = LineReader(LONGEST, Counters())
    assert reader.datagram(b"a 1 2\nb 1 2") == ["a 1 2", "b 1 2"]


def test_refused_lines_are_shown_with_their_reason():
    counters = Counters()
    LineReader(LONGEST, counters).feed(b"\xff\xfe 1 2\n")
    (found,) = counters.snapshot()["rejected"].items()
    assert found[0] == Reason.NOT_UTF8
    assert found[1]["examples"] == ["\\xff\\xfe 1 2"]


BYTES = st.lists(
    st.sampled_from([b"\n", b"\r", b" ", b"a", b"1", "ä".encode(), b"\xff", b"x" * 9, b"y" * 12]), max_size=40
).map(b"".join)


@given(BYTES, st.lists(st.integers(0, 120), max_size=6))
def test_pieces_give_what_the_whole_gives(data, cuts):
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[first:last] for first, last in pairwise(edges)]
    lines, refused, rest = naive(data)
    found, counted = read(*pieces, finish=False)
    if len(rest) > LONGEST + 1:
        refused[Reason.LONG_LINE] = refused.get(Reason.LONG_LINE, 0) + 1
    assert found == lines
    assert counted == refused


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"POST /write HTTP/1.1\r\nHost: localhost\r\nX-A: 1 2\r\n\r\ncpu 1 1700000000\n", Reason.HTTP_HERE),
        (b"\x00\x00\x00\x43\x80\x02]q\x00(X\x01\n\x00\x00a\ncpu 1 1700000000\n", Reason.PICKLE_HERE),
        (b"\x1f\x8b\x08\x00abc\ncpu 1 1700000000\n", Reason.GZIP_HERE),
    ],
)
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_a_connection_that_speaks_another_protocol_is_told_by_name_and_not_used(sent, reason, step):
    counters = Counters()
    reader = LineReader(4096, counters)
    lines = [line for at in range(0, len(sent), step) for line in reader.feed(sent[at : at + step])]
    reader.finish()
    assert lines == []
    assert reader.foreign
    assert {reason: found["count"] for reason, found in counters.snapshot()["rejected"].items()} == {
        reason: 1
    }


def test_a_connection_that_begins_with_a_line_is_not_looked_at_again():
    reader = LineReader(4096, Counters())
    assert reader.feed(b"cpu 1 2\nGET / HTTP/1.1\n") == ["cpu 1 2", "GET / HTTP/1.1"]
    assert not reader.foreign
