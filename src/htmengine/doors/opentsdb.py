"""OpenTSDB's `/api/put`: an object or an array of `{"metric": …, "timestamp": …, "value": …, "tags": {…}}`.

A timestamp is in seconds, or in milliseconds where it has more than ten digits; without one it is now. Each point is
judged alone.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from htmengine.doors import json_records, names
from htmengine.doors.limits import Limits
from htmengine.doors.reasons import BadSample, Reason
from htmengine.doors.samples import (
    Gauges,
    Parsed,
    Refusals,
    check_timestamp,
    check_value,
    read_number,
)

LATEST_IN_SECONDS: Final = 9_999_999_999
"""A larger timestamp is in milliseconds."""


class Point(msgspec.Struct, frozen=True, omit_defaults=True):
    """A data point, as it comes."""

    metric: str
    value: float | str
    timestamp: float | str | None = None
    tags: dict[str, str] = {}


_DECODER: Final = msgspec.json.Decoder(Point)


def parse(body: bytes, now: float, limits: Limits) -> Parsed:
    """Return the samples of a request. `now`: seconds since the epoch.

    Raises UnreadableBody: no JSON, or more than the limits allow.
    """
    gauges = Gauges(limits.samples)
    refusals = Refusals()
    for number, point in json_records.records(body, _DECODER, refusals):
        try:
            name = names.canonical(point.metric, point.tags)
            value = _number(point.value, Reason.VALUE)
            time = now if point.timestamp is None else _number(point.timestamp, Reason.TIMESTAMP)
            seconds = time / 1000 if time > LATEST_IN_SECONDS else time
            if reason := check_value(value) or check_timestamp(seconds):
                raise BadSample(reason)
        except BadSample as error:
            refusals.add(error.reason, json_records.shown(point), number)
            continue
        gauges.add(name, seconds, value)
    return Parsed(gauges.samples(), refusals)


def _number(value: float | str, reason: Reason) -> float:
    return read_number(value, reason) if isinstance(value, str) else value


# -- Answers


class Answer(NamedTuple):
    """What the sender gets."""

    status: int
    body: dict[str, Any]
    """As JSON; empty for none."""


def answer(parsed: Parsed, *, summary: bool = False, details: bool = False) -> Answer:
    """Return the answer to a request whose samples are safe; `summary` and `details` as its query asks."""
    succeeded, failed = len(parsed.samples.names), parsed.refusals.errors
    if summary or details:
        body: dict[str, Any] = {"success": succeeded, "failed": failed}
        if details:
            body["errors"] = [
                {"datapoint": refusal.example, "error": str(refusal.reason)}
                for refusal in parsed.refusals.mistakes()
            ]
        return Answer(400 if failed else 200, body)
    if not failed:
        return Answer(204, {})
    first = next(iter(parsed.refusals.mistakes()))
    return failure(
        400, f"{failed} of {succeeded + failed} data points were refused; the first: {first.reason}"
    )


def failure(status: int, message: str) -> Answer:
    """Return an answer for a request of which something is not taken."""
    return Answer(status, {"error": {"code": status, "message": message}})
