"""Why an alarm is one, in words: each cause in its own terms.

The usual range of values is told only where the value lies outside of it. A sequence of usual values, or a value that is
merely rare today, lies within.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

import msgspec

from htmengine.messages import Why
from htmengine.readable import counted, duration, rounded

_DIGITS: Final = 4
_MAX_DIGITS: Final = 12
_MAX_RANGES: Final = 3
_GONE: Final = 0.2
"""What is left of what was expected, for nearly all of it to be missing; likewise what was expected of what came."""
_NOTHING: Final = 1e-3
"""What is less than this share of the value is told as 0."""
_UNITS: Final = ((1e15, " P"), (1e12, " T"), (1e9, " G"), (1e6, " M"))
_SEPARATORS: Final = re.compile(r"[./:;]")
_SHORT: Final[Mapping[str, str]] = {
    "sequence": "unusual order of values",
    "jump": "steps larger than usual",
    "unrest": "fluctuates more than usual",
}


SILENCE: Final = "silence"
"""The cause of an alarm that has no sample: there is none."""


class Missing(msgspec.Struct, frozen=True):
    """A time in which a metric sent nothing, as an incident has it. Times are seconds since the epoch."""

    since: int
    """Timestamp of the last sample before it."""
    interval_s: float
    """Usual time from a sample to the next."""
    until: int | None = None
    """Timestamp of the first sample behind it; None while it lasts."""


class Reasons(Protocol):
    """What a model says of an alarm: `htmengine.messages.Why`, or `htmengine.htm.explanation.Explanation`."""

    @property
    def cause(self) -> str | None: ...
    @property
    def forecast(self) -> float | None: ...
    @property
    def usual(self) -> tuple[float, float] | None: ...


class _Expectation(NamedTuple):
    """The value and what was expected of it, as texts with so many digits that they differ where the numbers do."""

    value: str
    forecast: str | None
    usual: tuple[str, str] | None
    """None where the value lies within."""
    is_above: bool


def reason(why: Reasons | None, value: float) -> str:
    """Return in a few words what is unusual about a value, for a list: `far above its forecast`; parameters as below."""
    if why is None or why.cause is None:
        return "unusual"
    if short := _SHORT.get(why.cause):
        return short
    above = _is_above(why, value)
    match why.cause:
        case "extreme":
            return "highest ever" if above else "lowest ever"
        case "offset":
            return f"{_side(above)} its level for long"
        case "distance":
            return "nearly all missing" if _is_missing(why, value) else f"far {_side(above)} its level"
        case "error":
            return "nearly all missing" if _is_missing(why, value) else f"far {_side(above)} its forecast"
        case _:
            return why.cause


def sentence(why: Why | None, value: float) -> str:
    """Return what is unusual about a value as a sentence without its full stop, to stand behind the metric's name.

    Parameters
    ----------
    why : what the model said of the alarm; None where it could say nothing.
    value : of the sample, in the metric's unit.
    """
    if why is None:
        return f"{_text(value, _DIGITS)} is unusual"
    expected = _expectation(why, value)
    where = f"expected {expected.forecast}" if expected.forecast else ""
    usual = f"usual {_range(*expected.usual)}" if expected.usual else ""
    aside = _aside(where, usual)
    match why.cause:
        case "sequence":
            return f"its last values do not follow each other as usual: {_foreseen(why, value)}"
        case "jump":
            return f"its last steps are larger than usual: now {expected.value}{aside}"
        case "extreme":
            return f"{expected.value} is {'higher' if expected.is_above else 'lower'} than ever before{aside}"
        case "offset":
            return (
                f"has stayed {_side(expected.is_above)} its usual level for long: now {expected.value}{aside}"
            )
        case "unrest":
            return f"fluctuates more than usual, and has for long: now {expected.value}{aside}"
        case "distance" | "error" if expected.forecast is not None:
            if _is_missing(why, value) or _is_new(why, value):
                return f"{'rose' if expected.is_above else 'fell'} to {expected.value} where {expected.forecast} was expected"
            far = f"{expected.value} is far {_side(expected.is_above)}"
            if why.cause == "error":
                return f"{far} the forecast of {expected.forecast}{_aside(usual)}"
            return f"{far} its usual level at this time{aside}"
        case _:
            return f"{expected.value} is unusual ({why.cause}){aside}"


def calm_sentence(why: Why | None, value: float) -> str:
    """Return that a value is no alarm, and what was expected; without its full stop. Parameters as above."""
    if why is None:
        return f"{_text(value, _DIGITS)} is not unusual"
    expected = _expectation(why, value)
    where = f"expected {expected.forecast}" if expected.forecast else ""
    if expected.usual:
        aside = _aside(where, f"usual {_range(*expected.usual)}")
        return f"{expected.value} is not unusual enough for an alarm{aside}"
    return f"{expected.value} is not unusual{_aside(where)}"


def missing_reason(missing: Missing) -> str:
    """Return in a few words what is unusual about a metric that sends nothing."""
    return "sends nothing" if missing.until is None else "sent nothing"


def missing_sentence(missing: Missing) -> str:
    """Return that a metric sends nothing as a sentence without its full stop, to stand behind its name."""
    usual = f"usually it does every {duration(missing.interval_s)}"
    since = _moment(missing.since)
    if missing.until is None:
        return f"has sent nothing since {since} UTC, {usual}"
    lasted = duration(missing.until - missing.since)
    return f"sent nothing from {since} to {_moment(missing.until)} UTC, for {lasted}; {usual}"


def silence_sentence(since: int, *, metrics: int, group: str, within_s: float) -> str:
    """Return an incident in which several metrics fell silent and nothing else happened, without its full stop.

    Parameters
    ----------
    since : timestamp of the last sample of the first of them.
    group : what all their names begin with; empty if nothing.
    within_s : so long after the first the last one was missed.
    """
    of = f" of {group}" if group else ""
    when = f"within {duration(within_s)}" if within_s else "at the same time"
    return (
        f"{metrics:,} metrics{of} fell silent {when}; the last sample of the first is of {_moment(since)} UTC"
    )


def common_group(first: str, last: str) -> str:
    """Return the segments that all names begin with, given the first and the last of them in their order."""
    both = list(zip(f"{first}.", f"{last}.", strict=False))
    length = next((place for place, (one, other) in enumerate(both) if one != other), len(both))
    ends = [match.start() for match in _SEPARATORS.finditer(f"{first}.") if match.start() < length]
    if length < len(both) and all(_SEPARATORS.fullmatch(character) for character in both[length]):
        return first[:length]
    return first[: ends[-1]] if ends else ""


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def incident_sentence(
    name: str, first: str, *, followers: int, within_s: float, alarms: int, lasts_s: float
) -> str:
    """Return an incident as a sentence without its full stop.

    Parameters
    ----------
    name : of the metric that moved first.
    first : `sentence` of it.
    followers : number of other metrics; all have alarmed so many seconds after the first.
    alarms : of all metrics, from the first to the last in so many seconds.
    """
    if followers:
        when = f"within {duration(within_s)}" if within_s else "at the same time"
        return f"began with {name}: {first}; {counted(followers, 'other metric')} followed {when}"
    if alarms > 1:
        return f"{name}: {first}; {alarms:,} alarms in {duration(lasts_s)}"
    return f"{name}: {first}"


def _side(above: bool) -> str:
    return "above" if above else "below"


def _aside(*parts: str) -> str:
    said = ", ".join(part for part in parts if part)
    return f" ({said})" if said else ""


def _is_above(why: Reasons, value: float) -> bool:
    return why.forecast is None or value >= why.forecast


def _is_outside(why: Reasons, value: float) -> bool:
    return why.usual is not None and not why.usual[0] <= value <= why.usual[1]


def _is_missing(why: Reasons, value: float) -> bool:
    """Tell whether nearly nothing came of what was expected: an event that should have taken place did not."""
    return why.forecast is not None and abs(value) <= _GONE * abs(why.forecast) and _is_outside(why, value)


def _is_new(why: Why, value: float) -> bool:
    """Tell whether nearly nothing of what came was expected."""
    return why.forecast is not None and abs(why.forecast) <= _GONE * abs(value) and _is_outside(why, value)


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _text(value: float, digits: int) -> str:
    """Return a number with so many digits; from a million on in units that keep it short."""
    size, unit = next(((size, unit) for size, unit in _UNITS if abs(value) >= size), (1.0, ""))
    return f"{rounded(value / size, digits)}{unit}"


def _expectation(why: Why, value: float) -> _Expectation:
    usual = why.usual if _is_outside(why, value) else None
    others = [limit for limit in (why.forecast, *(usual or ())) if limit is not None and limit != value]
    digits = next(
        (
            digits
            for digits in range(_DIGITS, _MAX_DIGITS)
            if all(_text(value, digits) != _text(other, digits) for other in others)
        ),
        _MAX_DIGITS,
    )

    def text(number: float) -> str:
        return "0" if abs(number) < _NOTHING * abs(value) else _text(number, digits)

    return _Expectation(
        _text(value, digits),
        None if why.forecast is None else text(why.forecast),
        None if usual is None else (text(usual[0]), text(usual[1])),
        _is_above(why, value),
    )


def _foreseen(why: Why, value: float) -> str:
    """Return what the memory had foreseen of the last of a sequence, and what came."""
    ranges: Sequence[tuple[float, float]] = why.foreseen
    came = _text(value, _DIGITS)
    if not ranges:
        return f"nothing like {came} was foreseen"
    if any(low <= value <= high for low, high in ranges):
        return f"{came} was foreseen, what came before it was not"
    if len(ranges) > _MAX_RANGES:
        return f"{came} was not foreseen"
    *others, last = (_range(_text(low, _DIGITS), _text(high, _DIGITS)) for low, high in ranges)
    texts = f"{', '.join(others)} or {last}" if others else last
    return f"{came} came, foreseen was {texts}"
