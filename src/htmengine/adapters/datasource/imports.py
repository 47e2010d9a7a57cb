"""Samples of an export, as they come back from a file or another installation."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from htmengine import iso_times
from htmengine.repository import identity
from htmengine.repository.samples import Rows
from htmengine.repository.times import FIRST_SECOND


def rows(data: Iterable[Any], *, latest: float) -> tuple[Rows, int]:
    """Return the rows that samples make, numbered from 1, and how many samples were refused.

    As in the storer, a sample is refused unless its second is later than that of the sample before it, and not in the
    future.

    Parameters
    ----------
    data : pairs (value, timestamp); a timestamp is a datetime (UTC where it has no zone), such as text in ISO 8601, or
        seconds since the epoch.
    latest : seconds since the epoch; a sample beyond it is refused.

    Raises
    ------
    ValueError : an element is no sample; it says which.
    """
    found = Rows([], [], [], [])
    refused = 0
    tail = FIRST_SECOND - 1
    if isinstance(data, str | bytes | Mapping) or not isinstance(data, Iterable):
        raise ValueError(f"data = {reprlib.repr(data)} is not a list of samples")
    for position, element in enumerate(data):
        try:
            value, timestamp = element
            number, second = _number(value) + 0.0, _seconds(timestamp)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"data[{position}] = {reprlib.repr(element)} is not a pair of value and timestamp: {error}"
            ) from error
        if not math.isfinite(number):
            raise ValueError(f"data[{position}] = {reprlib.repr(element)} has a value that is not finite")
        if second <= tail or second > latest:
            refused += 1
            continue
        tail = second
        found.rowids.append(len(found.rowids) + 1)
        found.timestamps.append(second)
        found.values.append(number)
    found.digests.extend(identity.extended(identity.start(0, None), found.timestamps, found.values))
    return found, refused


def _number(value: Any) -> float:
    if isinstance(value, str | bytes):
        raise TypeError(f"{reprlib.repr(value)} is text, not a number")
    return float(value)


def _seconds(timestamp: Any) -> int:
    """Return whole seconds since the epoch, rounded down."""
    if isinstance(timestamp, str):
        timestamp = iso_times.seconds(timestamp)
    if isinstance(timestamp, datetime):
        timestamp = iso_times.since_epoch(timestamp)
    return math.floor(_number(timestamp))
