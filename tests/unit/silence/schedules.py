"""Times at which metrics come, for tests of what is a silence: timestamps from a Monday, 00:00 UTC, on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from htmengine.silence.rhythm import DAY_S

MONDAY = 1_704_067_200  # 2024-01-01
HOUR_S = 3600


def regular(interval_s: int, days: float, *, since: int = MONDAY) -> list[int]:
    return list(range(since, since + int(days * DAY_S), interval_s))


def nightly(interval_s: int, days: float, *, begins_h: int = 7, ends_h: int = 22) -> list[int]:
    """Come by day only."""
    return [
        time
        for time in regular(interval_s, days)
        if begins_h * HOUR_S <= (time - MONDAY) % DAY_S < ends_h * HOUR_S
    ]


def office(interval_s: int, days: float) -> list[int]:
    """Come from Monday to Friday, 8 to 18."""
    return [
        time for time in nightly(interval_s, days, begins_h=8, ends_h=18) if (time - MONDAY) // DAY_S % 7 < 5
    ]


def silences(rhythm, times: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the gaps that would be found as silences while these rows come in, learning from each."""
    for since, until in pairwise(times):
        if rhythm.is_known and until > rhythm.expected_by(since):
            yield since, until
        rhythm = rhythm.learned((since, until))
