"""Remote-write messages as the specification writes them, byte by byte."""

import math
import struct

NOW_MS = 1_700_000_000_123


def varint(number):
    number &= (1 << 64) - 1
    written = b""
    while number > 127:
        written += bytes([number & 127 | 128])
        number >>= 7
    return written + bytes([number])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def integer(number, value):
    return varint(number << 3) + varint(value) if value else b""


def double(number, value):
    return varint(number << 3 | 1) + struct.pack("<d", value) if value or math.copysign(1, value) < 0 else b""


def sample(value, ms=NOW_MS, start=0):
    return double(1, value) + integer(2, ms) + integer(3, start)


def histogram(count, total, ms=NOW_MS, hint=0):
    return integer(1, count) + double(3, total) + integer(14, hint) + integer(15, ms)


def series_v1(labels, samples=(), histograms=()):
    body = b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in labels.items())
    return field(1, body + b"".join(field(2, s) for s in samples) + b"".join(field(4, h) for h in histograms))


def request_v2(*series):
    """Write series of labels, samples, type and whether numbers are packed."""
    symbols, written = [""], b""
    for labels, samples, kind, packed in series:
        references = []
        for text in (text for pair in labels.items() for text in pair):
            if text not in symbols:
                symbols.append(text)
            references.append(symbols.index(text))
        if packed:
            refs = field(1, b"".join(map(varint, references)))
        else:
            refs = b"".join(varint(1 << 3) + varint(reference) for reference in references)
        body = refs + b"".join(field(2, s) for s in samples) + field(5, integer(1, kind))
        written += field(5, body)
    return b"".join(field(4, symbol.encode()) for symbol in symbols) + written
