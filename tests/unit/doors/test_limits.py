import gzip
import tracemalloc
import zlib
from contextlib import suppress

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.doors.limits import Limits, inflate
from htmengine.doors.reasons import Reason
from htmengine.doors.samples import UnreadableBody

LIMITS = Limits(body=1 << 16, inflated=1 << 20)


@given(st.binary(max_size=2000), st.integers(0, 2000))
def test_what_was_compressed_is_given_back(body, cut):
    assert inflate(body, "", LIMITS) == body
    assert inflate(zlib.compress(body), "deflate", LIMITS) == body
    assert inflate(gzip.compress(body), "gzip", LIMITS) == body
    assert inflate(gzip.compress(body[:cut]) + gzip.compress(body[cut:]), "GZIP ", LIMITS) == body
    if body:
        assert inflate(bytes(cramjam.snappy.compress_raw(body)), "snappy", LIMITS) == body


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "snappy"]))
def test_any_bytes_are_inflated_or_refused(body, encoding):
    with suppress(UnreadableBody):
        assert len(inflate(body, encoding, LIMITS)) <= LIMITS.inflated


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_stream_that_ends_early_is_refused(body, data):
    packed = gzip.compress(body)
    with pytest.raises(UnreadableBody):
        inflate(packed[: data.draw(st.integers(0, len(packed) - 1))], "gzip", LIMITS)


def test_a_body_of_the_limit_is_taken_and_one_byte_more_is_not():
    body = bytes(LIMITS.inflated)
    assert inflate(gzip.compress(body), "gzip", LIMITS) == body
    assert inflate(bytes(cramjam.snappy.compress_raw(body)), "snappy", LIMITS) == body
    for packed, encoding in [
        (gzip.compress(body + b"x"), "gzip"),
        (bytes(cramjam.snappy.compress_raw(body + b"x")), "snappy"),
        (bytes(LIMITS.body + 1), ""),
    ]:
        with pytest.raises(UnreadableBody) as raised:
            inflate(packed, encoding, LIMITS)
        assert raised.value.reason is Reason.TOO_LARGE


def test_a_bomb_takes_no_more_memory_than_the_limit():
    bomb = gzip.compress(bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableBody):
            inflate(bomb, "gzip", Limits(inflated=1 << 20))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_claim_of_four_gibibytes_is_refused_without_them():
    with pytest.raises(UnreadableBody) as raised:
        inflate(b"\xff\xff\xff\xff\x0f\x00a", "snappy", LIMITS)
    assert raised.value.reason is Reason.TOO_LARGE


def test_an_unknown_encoding_is_named():
    with pytest.raises(LookupError, match="br"):
        inflate(b"", "br", LIMITS)
