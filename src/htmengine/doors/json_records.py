"""JSON from outside, record by record: what is no JSON, or of another shape, costs only its record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from htmengine.doors.reasons import Reason
from htmengine.doors.samples import Refusals, UnreadableBody

T = TypeVar("T")

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def records(body: bytes, decoder: msgspec.json.Decoder[T], refusals: Refusals) -> Iterator[tuple[int, T]]:
    """Yield place and content of the records of a document: an object, or an array of them.

    Raises UnreadableBody where the document is no JSON.
    """
    try:
        raw = msgspec.json.decode(body, type=list[msgspec.Raw] | dict[str, msgspec.Raw])
    except _UNREADABLE as error:
        raise UnreadableBody(Reason.NOT_JSON, str(error)) from None
    found = raw if isinstance(raw, list) else [msgspec.Raw(body)]
    return _decoded(((number, bytes(one)) for number, one in enumerate(found, start=1)), decoder, refusals)


def lines(body: bytes, decoder: msgspec.json.Decoder[T], refusals: Refusals) -> Iterator[tuple[int, T]]:
    """Yield number and content of lines that are an object each; blank ones are left out."""
    numbered = ((number, line) for number, line in enumerate(body.split(b"\n"), start=1) if line.strip())
    return _decoded(numbered, decoder, refusals)


def _decoded(
    numbered: Iterator[tuple[int, bytes]], decoder: msgspec.json.Decoder[T], refusals: Refusals
) -> Iterator[tuple[int, T]]:
    for number, one in numbered:
        try:
            content = decoder.decode(one)
        except _UNREADABLE as error:
            refusals.add(_reason(error), one, number)
            continue
        yield number, content


def _reason(error: Exception) -> Reason:
    if "out of range" in str(error):
        return Reason.NOT_FINITE
    if isinstance(error, msgspec.ValidationError):
        return Reason.SHAPE
    return Reason.NOT_JSON


def shown(record: Any) -> str:
    """Return a record as it may have come."""
    return msgspec.json.encode(record).decode()
