"""Encoders: a number or a moment becomes a sparse list of active bits.

Values that are alike share active bits. Every encoder returns the indices of its active bits, ascending, as uint32.
NaN and infinities mark a missing value: it has no bits, and the encoder's state stays as it was.

Encoders that change while encoding (random distributed, adaptive, delta, multi) keep their state in bytes:
``save_state`` after any step and ``restore_state`` on an encoder with the same parameters continue as if nothing had
happened.

Source: reference "HTM scalar anomaly models", section 4.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

from htmengine.htm import _kernels, params
from htmengine.htm.arrays import IndexArray
from htmengine.htm.real_numbers import real

Width = int | tuple[int, float]

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CHRISTMAS = (12, 25)


_SCALAR: Final = params.ScalarEncoder(minimum=0.0, maximum=1.0)
_RANDOM: Final = params.RandomDistributedScalarEncoder(resolution=1.0)
_ADAPTIVE: Final = params.AdaptiveScalarEncoder()
_DELTA: Final = params.DeltaEncoder()
_DATE: Final = params.DateEncoder()


class _Stateful:
    _kernel: Any

    @property
    def width(self) -> int:
        """Number of bits, active or not."""
        return int(self._kernel.width)

    def save_state(self) -> bytes:
        """Return all that encoding has changed, without the parameters."""
        return bytes(self._kernel.save_state())

    def restore_state(self, state: bytes) -> None:
        """Continue from a state that an encoder with the same parameters saved.

        Raises StateError, a ValueError, when the bytes are no such state; the encoder is then as before.
        """
        self._kernel.restore_state(state)


class _ValueEncoder(_Stateful):
    def encode(self, value: float) -> IndexArray:
        """Return the active bits of `value`, ascending. Shape (w,), or (0,) when the value is missing."""
        return self.encode_with_bucket(value)[0]

    def encode_with_bucket(self, value: float) -> tuple[IndexArray, int | None]:
        """Return the active bits of `value`, and the index of its bucket: None when the value is missing.

        Values in the same bucket have the same bits. For a scalar encoder the index is that of the first bit, of
        the middle one if it is periodic.
        """
        bits, bucket = self._kernel.encode(real(value))
        return bits, bucket


class ScalarEncoder(_ValueEncoder):
    """Encodes values between a fixed minimum and maximum as a run of bits; equal steps get equal room.

    Parameters
    ----------
    minimum, maximum : of the values, in their own unit.
    w : active bits, odd.
    n, radius, resolution : exactly one of them. The width in bits; the distance from which on two values share no
        bit; the distance from which on they differ in a bit.
    periodic : whether the maximum is the minimum again, as for the hours of a day.
    clip : whether values outside count as the nearest one inside. Not for periodic encoders.

    Raises
    ------
    ValueError : for parameters that are out of range or contradict each other; from `encode`, for a value outside
        minimum .. maximum (a periodic encoder also refuses the maximum) unless the encoder clips.
    """

    def __init__(
        self,
        minimum: float,
        maximum: float,
        *,
        w: int = _SCALAR.w,
        n: int | None = None,
        radius: float | None = None,
        resolution: float | None = None,
        periodic: bool = _SCALAR.periodic,
        clip: bool = _SCALAR.clip,
    ) -> None:
        self._kernel = _kernels.ScalarEncoder(
            w=_count("w", w),
            minimum=minimum,
            maximum=maximum,
            periodic=periodic,
            clip=clip,
            n=None if n is None else _count("n", n),
            radius=radius,
            resolution=resolution,
        )
        self._range = f"{minimum} .. {maximum}"

    def encode_with_bucket(self, value: float) -> tuple[IndexArray, int | None]:
        """Return the active bits of `value`, and the index of its bucket: None when the value is missing.

        Raises ValueError for a value outside the range, unless the encoder clips.
        """
        value = real(value)
        if math.isfinite(value) and not self._kernel.encodes(value):
            raise ValueError(f"value {value} is outside the range {self._range} of the encoder")
        return super().encode_with_bucket(value)


class RandomDistributedScalarEncoder(_ValueEncoder):
    """Encodes values in buckets of equal size, each with a random set of bits; needs no range (RDSE).

    Buckets less than `w` apart share `w` minus their distance bits, others at most 2. There are 1000 buckets; values
    beyond the last one on either side fall into it.

    Parameters
    ----------
    resolution : size of a bucket, in the value's unit.
    w : active bits, odd.
    n : width in bits, above 6 w.
    seed : of the random bits; not 0.
    offset : centre of the middle bucket, 500. By default the first value encoded.

    Raises
    ------
    ValueError : for parameters out of range.

    References
    ----------
    Purdy (2016), "Encoding data for HTM systems", arXiv:1602.05925.
    """

    def __init__(
        self,
        resolution: float,
        *,
        w: int = _RANDOM.w,
        n: int = _RANDOM.n,
        seed: int = _RANDOM.seed,
        offset: float | None = _RANDOM.offset,
    ) -> None:
        self._kernel = _kernels.RandomDistributedScalarEncoder(
            resolution=resolution, w=_count("w", w), n=_count("n", n), seed=_seed(seed), offset=offset
        )

    @property
    def offset(self) -> float | None:
        """Centre of the middle bucket; None before the first value."""
        offset: float | None = self._kernel.offset
        return offset

    @property
    def buckets(self) -> range:
        """The buckets that have got their bits so far."""
        return range(self._kernel.first_bucket, self._kernel.last_bucket + 1)

    def slots(self, bucket: int) -> IndexArray:
        """Return the w bits of a bucket in `buckets`, by slot: neighbours differ in slot ``bucket % w``.

        Raises IndexError for any other bucket.
        """
        slots: IndexArray = self._kernel.slots(bucket)
        return slots


class AdaptiveScalarEncoder(_ValueEncoder):
    """A scalar encoder whose range grows to hold every value it has encoded, and never shrinks.

    Parameters
    ----------
    w : active bits, odd.
    n : width in bits, above w.
    minimum, maximum : range at the start. By default it is value .. value + 1 of the first value.

    Raises
    ------
    ValueError : for parameters out of range.
    """

    def __init__(
        self,
        *,
        w: int = _ADAPTIVE.w,
        n: int = _ADAPTIVE.n,
        minimum: float | None = _ADAPTIVE.minimum,
        maximum: float | None = _ADAPTIVE.maximum,
    ) -> None:
        self._kernel = _kernels.AdaptiveScalarEncoder(
            w=_count("w", w), n=_count("n", n), minimum=minimum, maximum=maximum
        )


class DeltaEncoder(_ValueEncoder):
    """Encodes the change since the value before (0 for the first) with an adaptive scalar encoder.

    Parameters
    ----------
    w : active bits, odd.
    n : width in bits, above w.
    minimum, maximum : range of the changes at the start. By default 0 .. 1, as the first change is 0.

    Raises
    ------
    ValueError : for parameters out of range.
    """

    def __init__(
        self,
        *,
        w: int = _DELTA.w,
        n: int = _DELTA.n,
        minimum: float | None = _DELTA.minimum,
        maximum: float | None = _DELTA.maximum,
    ) -> None:
        self._kernel = _kernels.DeltaEncoder(
            w=_count("w", w), n=_count("n", n), minimum=minimum, maximum=maximum
        )


class DateEncoder:
    """Encodes where a moment lies in the year, in the week and in the day (UTC); up to six codes side by side.

    Each of the first six parameters is a number of active bits (odd; 0 leaves the part out) or that and a radius:
    the distance from which on two moments share no bit. The parts are laid out in this order:

    Parameters
    ----------
    season : day of the year; radius in days, by default 91.5.
    day_of_week : with the time of day as fraction; radius in days, by default 1.
    weekend : Saturday, Sunday, and Friday later than 18:00, or not.
    custom_days : width, and the weekdays that count: names such as "Sat" or "saturday".
    holiday : rising from 0 to 1 over the day before a holiday, and falling over the day after.
    time_of_day : hours and minutes; radius in hours, by default 4.
    holidays : (month, day) for every year, or (year, month, day).

    Raises
    ------
    ValueError : when no part is wanted, or a parameter is out of range.
    """

    def __init__(
        self,
        *,
        season: Width = 0,
        day_of_week: Width = 0,
        weekend: Width = 0,
        custom_days: tuple[Width, str | Sequence[str]] | None = None,
        holiday: Width = 0,
        time_of_day: Width = 0,
        holidays: Sequence[tuple[int, int] | tuple[int, int, int]] = (_CHRISTMAS,),
    ) -> None:
        custom_width, weekdays = (0, ()) if custom_days is None else custom_days
        self._kernel = _kernels.DateEncoder(
            season=_part("season", season, _DATE.season),
            day_of_week=_part("day_of_week", day_of_week, _DATE.day_of_week),
            weekend=_part("weekend", weekend, _DATE.weekend),
            custom_days=_part("custom_days", custom_width, _DATE.custom_days),
            holiday=_part("holiday", holiday, _DATE.holiday),
            time_of_day=_part("time_of_day", time_of_day, _DATE.time_of_day),
            custom_weekdays=[
                _weekday(day) for day in ([weekdays] if isinstance(weekdays, str) else weekdays)
            ],
            holidays=[_holiday(day) for day in holidays],
        )

    @property
    def width(self) -> int:
        """Number of bits, active or not."""
        return int(self._kernel.width)

    def encode(self, timestamp: float) -> IndexArray:
        """Return the active bits of a moment, ascending; none for NaN.

        `timestamp` is in seconds since the Unix epoch, UTC. Moments outside the years 1 to 9999 count as the first
        or last second inside.
        """
        bits: IndexArray = self._kernel.encode(real(timestamp))
        return bits


class MultiEncoder(_Stateful):
    """Several encoders side by side, laid out in the order given.

    Parameters
    ----------
    encoders : by name. Date encoders get the timestamp of a sample, all others the value. The multi encoder works
        on copies, in the state that the encoders have now.

    Raises
    ------
    ValueError : without encoders, or when they are together wider than 65536 bits.
    """

    def __init__(
        self,
        encoders: dict[
            str,
            DateEncoder
            | RandomDistributedScalarEncoder
            | ScalarEncoder
            | AdaptiveScalarEncoder
            | DeltaEncoder,
        ],
    ) -> None:
        self._kernel = _kernels.MultiEncoder([(name, encoder._kernel) for name, encoder in encoders.items()])

    @property
    def first_bits(self) -> dict[str, int]:
        """Index of the first bit of each encoder, by name."""
        return dict(self._kernel.first_bits)

    def encode(self, timestamp: float, value: float) -> IndexArray:
        """Return the active bits of a sample, ascending.

        `timestamp` is in seconds since the Unix epoch, UTC. A value that its encoder has no code for counts as
        missing: it adds no bits, while the timestamp still does.
        """
        return self.encode_with_bucket(timestamp, value)[0]

    def encode_with_bucket(self, timestamp: float, value: float) -> tuple[IndexArray, int | None]:
        """Return the active bits of a sample, and the bucket of its value in the first encoder of values.

        The bucket is None when the value is missing or no encoder takes it.
        """
        bits, bucket = self._kernel.encode(real(timestamp), real(value))
        return bits, bucket


def _count(name: str, count: int) -> int:
    if not 0 <= count < 2**32:
        raise ValueError(f"{name} is {count}, but must be from 0 to 4294967295")
    return count


def _seed(seed: int) -> int:
    if not 0 < seed < 2**64:
        raise ValueError(f"seed is {seed}, but must be from 1 to 18446744073709551615")
    return seed


def _part(name: str, width: Width, default: tuple[int, float]) -> tuple[int, float]:
    w, radius = width if isinstance(width, tuple) else (width, default[1])
    return _count(name, w), radius


def _weekday(name: str) -> int:
    for index, weekday in enumerate(_WEEKDAYS):
        if name.lower() in (weekday, weekday[:3]):
            return index
    raise ValueError(f'weekday "{name}" does not exist; write for example "Sat" or "saturday"')


def _holiday(day: tuple[int, int] | tuple[int, int, int]) -> tuple[int, int, int]:
    every_year = 0
    if len(day) == 3:
        if day[0] == every_year:
            raise ValueError(f"holiday {day} is in year 0, which does not exist")
        return day
    return every_year, *day
