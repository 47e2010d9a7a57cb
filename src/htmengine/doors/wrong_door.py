"""Recognises senders of another protocol on the ports for text and for pickles, so that they are told what to change.

Only what is no sample is looked at: a line that can be read as one is one.
"""

from __future__ import annotations

import re
from typing import Final

from htmengine.doors.reasons import Reason

_BYTES: Final = (
    (re.compile(rb"\x1f\x8b\x08"), Reason.GZIP_HERE),
    (re.compile(rb"(?:GET|POST|PUT|HEAD|DELETE|OPTIONS|PATCH|CONNECT) \S+ HTTP/\d"), Reason.HTTP_HERE),
    (re.compile(rb"\x16\x03[\x00-\x04]"), Reason.TLS_HERE),
    # The length of a frame, less than 16 MiB; then a pickle of protocol 2 to 5, or of 1 or 0 with a list.
    (re.compile(rb"\x00[\s\S]{3}(?:\x80[\x02-\x05]|\]q|\(l)"), Reason.PICKLE_HERE),
)
_TEXT: Final = re.compile(rb"[\x20-\x7e]{4}[\x09\x0a\x0d\x20-\x7e\x80-\xff]*\Z")
_LINES: Final = (
    (re.compile(r"(?:GET|POST|PUT|HEAD|DELETE|OPTIONS|PATCH|CONNECT) \S+ HTTP/\d"), Reason.HTTP_HERE),
    (re.compile(r"put \S+ \d+(?:\.\d*)? \S+(?: \S+=\S+)*\s*$"), Reason.OPENTSDB_HERE),
    (re.compile(r"<\d{1,3}>(?:\d |[A-Z][a-z]{2} )"), Reason.SYSLOG_HERE),
    (re.compile(r'[\[{]\s*["{\[]'), Reason.JSON_HERE),
    (re.compile(r"[^\s:|]+:[^\s|]+\|(?:c|g|ms|s|h|d|m)\b"), Reason.STATSD_HERE),
    (re.compile(r"(?:[^\s,=\\]|\\.)+(?:,(?:[^\s\\]|\\.)+=\S+)* [^\s=]+=\S"), Reason.INFLUX_HERE),
)


def of_bytes(begin: bytes) -> Reason | None:
    """Return which protocol bytes at the beginning of a connection or datagram are of, if they are no text."""
    for pattern, reason in _BYTES:
        if pattern.match(begin):
            return reason
    return None


def of_no_pickle(begin: bytes) -> Reason | None:
    """Return what bytes are that begin a connection on the port for pickles, and no frame."""
    if of_bytes(begin) is Reason.TLS_HERE:
        return Reason.TLS_HERE
    return Reason.LINES_HERE if _TEXT.match(begin) else None


def of_line(line: str) -> Reason | None:
    """Return which protocol a line that is no sample is of, if it is a known one."""
    for pattern, reason in _LINES:
        if pattern.match(line):
            return reason
    return None
