"""What the user says about a file of series."""

from typing import Final, NamedTuple
from zoneinfo import ZoneInfo


class Options(NamedTuple):
    """What the user says about the file; columns by name or by number from 1. Nothing: find out."""

    timestamp: str | None = None
    values: tuple[str, ...] = ()
    day_first: bool | None = None  # the order of day and month where dates leave it open
    by: tuple[str, ...] = ()  # columns that tell series apart
    where: tuple[tuple[str, str], ...] = ()  # columns, and the cells that rows must have there to be read
    missing: tuple[str, ...] = ()  # values that stand for none
    tz: ZoneInfo | None = None  # of times that do not say theirs; None: UTC
    every_s: float | None = None  # the rows have no times, but lie so many seconds apart
    start: float | None = (
        None  # seconds since the epoch: of the first row, or of the day of clocks without a date
    )
    all_series: bool = False  # each series of the file, of each column of numbers


NO_OPTIONS: Final = Options()
