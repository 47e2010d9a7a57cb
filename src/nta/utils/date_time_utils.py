"""Seconds since the Unix epoch from datetimes."""

from datetime import UTC, datetime


def epochFromNaiveUTCDatetime(dt: datetime) -> float:
    """Return the seconds since the epoch of a UTC datetime without time zone."""
    return dt.replace(tzinfo=UTC).timestamp()


def epochFromLocalizedDatetime(dt: datetime) -> float:
    """Return the seconds since the epoch of a datetime with a time zone. Raises ValueError when it has none."""
    if dt.tzinfo is None:
        raise ValueError(f"{dt} has no time zone")
    return dt.timestamp()
