"""Times as ISO 8601 and RFC 3339 write them; ours are in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def text(seconds: float, timespec: str = "auto") -> str:
    """Return a time as `2023-11-14T22:13:20Z`, with a fraction where it has one.

    Parameters
    ----------
    seconds : since the epoch.
    timespec : how precise, as `datetime.isoformat` takes it.
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec=timespec)[: -len("+00:00")] + "Z"


def seconds(text: str) -> float:
    """Return the seconds since the epoch of a date with or without a time, in UTC where it names no zone. Raises ValueError."""
    return since_epoch(datetime.fromisoformat(text))


def since_epoch(moment: datetime) -> float:
    """Return the seconds since the epoch of a moment, in UTC where it names no zone."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
