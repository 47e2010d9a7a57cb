"""What becomes an alarm: rows whose log score says so, with what their model said of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan
from typing import Final

from htmengine.messages import Scores, Why, encode_why
from htmengine.repository.alarms import NewAlarm
from htmengine.repository.schema import ALARM_LOG_SCORE

UP: Final = "up"
DOWN: Final = "down"
PATTERN: Final = "pattern"
_OF_MANY_ROWS: Final = ("sequence", "unrest")
"""Causes that lie in how values follow each other: neither high nor low."""


def new_alarms(scores: Scores) -> list[NewAlarm]:
    """Return the alarms among scores, in their order."""
    if not scores.log_scores or max(scores.log_scores) < ALARM_LOG_SCORE:
        return []
    return [
        _alarm(scores, position)
        for position, score in enumerate(scores.log_scores)
        if score >= ALARM_LOG_SCORE
    ]


def _alarm(scores: Scores, position: int) -> NewAlarm:
    value = scores.values[position]
    why = scores.why[position] if scores.why else None
    forecast = _at(scores.forecasts, position)
    return NewAlarm(
        scores.uids[position],
        scores.rowids[position],
        scores.timestamps[position],
        value,
        scores.log_scores[position],
        _known(_at(scores.one_in, position)),
        why.cause if why else None,
        why.channel if why else None,
        direction_of(why, value, forecast),
        _known(forecast),
        _known(_at(scores.usual_lows, position)),
        _known(_at(scores.usual_highs, position)),
        encode_why(why) if why else None,
    )


def direction_of(why: Why | None, value: float, forecast: float) -> str | None:
    """Return to which side of its forecast a value lies, or that it is a matter of the pattern; None if nobody knows."""
    if why is not None and why.cause in _OF_MANY_ROWS:
        return PATTERN
    expected = forecast if isfinite(forecast) or why is None or why.forecast is None else why.forecast
    if not isfinite(expected):
        return None
    if value == expected:
        return PATTERN
    return UP if value > expected else DOWN


def _at(column: Sequence[float] | None, position: int) -> float:
    return nan if column is None else column[position]


def _known(number: float) -> float | None:
    return number if isfinite(number) else None
