"""What one request may cost, and bodies that were compressed."""

from __future__ import annotations

import zlib
from typing import Final

import msgspec

from htmengine.doors.reasons import Reason
from htmengine.doors.samples import UnreadableBody

_STEP: Final = 1 << 16
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
"""zlib tells the two apart."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Of one request."""

    body: int = 16 << 20
    """Bytes as sent."""
    inflated: int = 64 << 20
    """Bytes after decompression."""
    samples: int = 100_000


def inflate(body: bytes, encoding: str, limits: Limits) -> bytes:
    """Return a body without its content encoding: "", "identity", "gzip", "deflate" or "snappy" (blocks, not frames).

    Memory is bounded by the limit, whatever the body claims.

    Raises
    ------
    UnreadableBody : larger than the limit, or damaged.
    LookupError : an encoding that is not known.
    """
    if len(body) > limits.body:
        raise UnreadableBody(Reason.TOO_LARGE, f"{limits.body} bytes")
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding in ("gzip", "x-gzip", "deflate"):
        return _unzipped(body, limits.inflated)
    if encoding == "snappy":
        return _unsnapped(body, limits.inflated)
    raise LookupError(encoding)


def _unzipped(body: bytes, most: int) -> bytes:
    inflated, room = bytearray(), most
    member = zlib.decompressobj(_GZIP_OR_ZLIB)
    for at in range(0, len(body), _STEP):  # what zlib hands back is copied each time: of small pieces
        piece = body[at : at + _STEP]
        while piece:
            if member.eof:  # gzip allows several members, one after the other
                member = zlib.decompressobj(_GZIP_OR_ZLIB)
            try:
                part = member.decompress(piece, room + 1)
            except zlib.error as error:
                raise UnreadableBody(Reason.NOT_DECODABLE, str(error)) from None
            room -= len(part)
            if room < 0:
                raise UnreadableBody(Reason.TOO_LARGE, f"{most} bytes when inflated")
            inflated += part
            piece = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        raise UnreadableBody(Reason.NOT_DECODABLE, "it ends within a compressed stream")
    return bytes(inflated)


def _unsnapped(body: bytes, most: int) -> bytes:
    import cramjam  # here: whoever reads the settings imports this module, and Prometheus alone sends snappy

    try:
        if cramjam.snappy.decompress_raw_len(body) > most:
            raise UnreadableBody(Reason.TOO_LARGE, f"{most} bytes when inflated")
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise UnreadableBody(Reason.NOT_DECODABLE, str(error)) from None
