"""What is usual at one hour and not at another: jobs, working days, batches, and clocks that change.

The history before an event is 8 weeks or more, so that the hour of the week can be known. Local time is the business of
these series alone: detectors see UTC.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.behaviour.series import START, Behaviour, Series, day, noise, times
from benchmarks.ops.signals import DAY_S
from htmengine.htm.arrays import FloatArray

_HOUR_S = 3600.0
_JOB_HOUR = 2
_NIGHTS = 60  # nights before the one that is unusual
_DAYS_AFTER = 5
_SETTLING_S = 2 * _HOUR_S
_WEEKS = 8
_MINUTES = 60  # of an hour
_JOB_MINUTE, _JOB_MINUTES = 10, 3
_HOURS, _HOURS_AFTER = 336, 24  # before the hour that is unusual, and after it

HOURLY, FIVE_MINUTES, QUARTER = 3600.0, 300.0, 900.0
SAID = {HOURLY: "hourly", FIVE_MINUTES: "every 5 min", QUARTER: "every 15 min"}


def _records(seconds: float, interval: float) -> int:
    """Return the samples in this time, at least one."""
    return max(1, round(seconds / interval))


def _idle(rng: np.random.Generator, count: int) -> FloatArray:
    return 5.0 + 2.0 * rng.standard_normal(count)


def _running(rng: np.random.Generator, count: int) -> FloatArray:
    return 500.0 + 20.0 * rng.standard_normal(count)


def _job_length(interval: float) -> int:
    return _records(0.5 * _HOUR_S, interval)


def missed_job(interval: float) -> Behaviour:
    """Return a job that runs every night at two, for half an hour, and one night does not.

    It is due until an hour after its usual end.
    """

    def behaviour(rng: np.random.Generator) -> Series:
        a_day, length = _records(DAY_S, interval), _job_length(interval)
        values = _idle(rng, (_NIGHTS + 1 + _DAYS_AFTER) * a_day)
        for night in range(_NIGHTS + 1 + _DAYS_AFTER):
            if night != _NIGHTS:
                start = night * a_day + _records(_JOB_HOUR * _HOUR_S, interval)
                values[start : start + length] = _running(rng, length)
        missed = _NIGHTS * a_day + _records(_JOB_HOUR * _HOUR_S, interval)
        due = range(missed, missed + length + _records(_HOUR_S, interval))
        return Series(times(len(values), interval), values, [due], settling=_records(_SETTLING_S, interval))

    behaviour.__doc__ = f"A nightly job that does not run, {SAID[interval]}."
    return behaviour


def job_at_another_hour(interval: float) -> Behaviour:
    """Return a job that runs every night at two, for half an hour, and one day 3 to 20 hours later.

    That it runs then is the event; that it does not run at two may alarm, too.
    """

    def behaviour(rng: np.random.Generator) -> Series:
        a_day, length = _records(DAY_S, interval), _job_length(interval)
        values = _idle(rng, (_NIGHTS + 1 + _DAYS_AFTER) * a_day)
        later = _records(int(rng.integers(3, 21)) * _HOUR_S, interval)
        for night in range(_NIGHTS + 1 + _DAYS_AFTER):
            start = night * a_day + _records(_JOB_HOUR * _HOUR_S, interval)
            if night == _NIGHTS:
                missed, start = start, start + later
                run = range(start, start + length)
            values[start : start + length] = _running(rng, length)
        return Series(
            times(len(values), interval),
            values,
            [run],
            settling=_records(_SETTLING_S, interval),
            ignored=[range(missed, missed + length + _records(_HOUR_S, interval))],
        )

    behaviour.__doc__ = f"A nightly job that runs at another hour, {SAID[interval]}."
    return behaviour


def hourly_job(minute: int | None) -> Behaviour:
    """Return a job that runs every hour at ten past, for three minutes, and after two weeks once at another minute, or not.

    That it does not run at ten past is the event, or else that it runs at the other minute. A sample every minute.
    """

    def behaviour(rng: np.random.Generator) -> Series:
        values = _idle(rng, (_HOURS + 1 + _HOURS_AFTER) * _MINUTES)
        for hour in range(_HOURS + 1 + _HOURS_AFTER):
            start = hour * _MINUTES + _JOB_MINUTE
            if hour == _HOURS:
                missed = start
                start += 0 if minute is None else minute - _JOB_MINUTE
            if hour != _HOURS or minute is not None:
                values[start : start + _JOB_MINUTES] = _running(rng, _JOB_MINUTES)
        at = missed if minute is None else missed + minute - _JOB_MINUTE
        return Series(
            times(len(values), 60.0),
            values,
            [range(at, at + 2 * _JOB_MINUTES)],
            settling=_MINUTES,
            ignored=[] if minute is None else [range(missed, missed + 2 * _JOB_MINUTES)],
        )

    what = "does not run" if minute is None else "runs at another minute"
    behaviour.__doc__ = f"A job of every hour that once {what}, every minute."
    return behaviour


def _week(rng: np.random.Generator, local: FloatArray, working: npt.NDArray[np.bool_]) -> FloatArray:
    """Return a load by local time, 60 to 120 on working days and 48 to 72 on others, with a deviation of 3."""
    return 40.0 + np.where(working, 1.0, 0.4) * (50.0 + 30.0 * day(local)) + noise(rng, len(local), 3.0)


def _weekday(at: FloatArray) -> FloatArray:
    """Return 0 on Mondays to 6 on Sundays."""
    return (at // DAY_S + 3) % 7  # the epoch began on a Thursday


def unusual_day(interval: float, *, busy: bool) -> Behaviour:
    """Return working days and weekends, with a Saturday or Sunday that is a working day, or a working day that is none.

    The whole day is the event.
    """

    def behaviour(rng: np.random.Generator) -> Series:
        at = times(_records((_WEEKS + 2) * 7 * DAY_S, interval), interval)
        working = _weekday(at) < 5
        weekday = int(rng.integers(5, 7)) if busy else int(rng.integers(0, 5))
        that_day = np.flatnonzero((_weekday(at) == weekday) & (at >= START + _WEEKS * 7 * DAY_S))
        first, length = int(that_day[0]), _records(DAY_S, interval)
        working[first : first + length] = busy
        return Series(at, _week(rng, at, working), [range(first, first + length)], settling=length)

    what = "quiet weekday that is busy" if busy else "busy weekday that is quiet"
    behaviour.__doc__ = f"A {what}, {SAID[interval]}."
    return behaviour


def midnight_batch(rng: np.random.Generator) -> Series:
    """A day's wave with a batch every midnight, 20 deviations high for three records; alarms count from the sixth on."""
    at = times(28 * 288)
    values = 100.0 + 30.0 * day(at) + noise(rng, len(at), 3.0)
    for midnight in range(0, len(at), 288):
        values[midnight : midnight + 3] += 60.0 + 6.0 * rng.standard_normal(3)
    return Series(at, values, counted_from=5 * 288 - 12)


def _clocks(rng: np.random.Generator, at: FloatArray) -> tuple[int, FloatArray, FloatArray]:
    """Return the record of a change on a Sunday at 1:00, and local times with it and without."""
    sunday = START + 4 * DAY_S  # four days after a Wednesday
    change = sunday + (_WEEKS - 1) * 7 * DAY_S + _HOUR_S
    zone = float(rng.integers(-8, 9)) * _HOUR_S
    step = float(rng.choice([-1.0, 1.0])) * _HOUR_S
    return int(np.searchsorted(at, change)), at + zone + np.where(at < change, 0.0, step), at + zone


def office_clocks(interval: float) -> Behaviour:
    """Return working days and weekends by local time, which changes by an hour after 8 weeks.

    The day after the change is the event: it should be found as seldom as without the change. False alarms are later.
    """

    def behaviour(rng: np.random.Generator) -> Series:
        at = times(_records((_WEEKS + 4) * 7 * DAY_S, interval), interval)
        change, local, steady = _clocks(rng, at)
        seed = int(rng.integers(2**63))
        values, undisturbed = (
            _week(np.random.default_rng(seed), clock, _weekday(clock) < 5) for clock in (local, steady)
        )
        return _after_the_change(at, values, undisturbed, change, interval)

    behaviour.__doc__ = f"Office hours when the clocks change, {SAID[interval]}."
    return behaviour


def job_clocks(interval: float) -> Behaviour:
    """Return a nightly job by local time, which changes by an hour after 8 weeks; else as `office_clocks`."""

    def behaviour(rng: np.random.Generator) -> Series:
        at = times(_records((_WEEKS + 4) * 7 * DAY_S, interval), interval)
        change, local, steady = _clocks(rng, at)
        idle, running = _idle(rng, len(at)), _running(rng, len(at))
        values, undisturbed = (
            np.where(
                (clock / _HOUR_S - _JOB_HOUR) % 24 < _job_length(interval) * interval / _HOUR_S, running, idle
            )
            for clock in (local, steady)
        )
        return _after_the_change(at, values, undisturbed, change, interval)

    behaviour.__doc__ = f"A nightly job when the clocks change, {SAID[interval]}."
    return behaviour


def _after_the_change(
    at: FloatArray, values: FloatArray, undisturbed: FloatArray, change: int, interval: float
) -> Series:
    day_after = range(change, change + _records(DAY_S, interval))
    return Series(at, values, [day_after], settling=0, counted_from=change, undisturbed=undisturbed)


BEHAVIOURS: dict[str, Behaviour] = {
    **{f"missed job, {SAID[one]}": missed_job(one) for one in (HOURLY, FIVE_MINUTES)},
    "missed job of every hour": hourly_job(None),
    "job of every hour at another minute": hourly_job(35),
    **{f"job at another hour, {SAID[one]}": job_at_another_hour(one) for one in (HOURLY, FIVE_MINUTES)},
    **{f"quiet weekday busy, {SAID[one]}": unusual_day(one, busy=True) for one in (HOURLY, QUARTER)},
    **{f"busy weekday quiet, {SAID[one]}": unusual_day(one, busy=False) for one in (HOURLY, QUARTER)},
    "midnight batch": midnight_batch,
    **{f"clocks change, office hours, {SAID[one]}": office_clocks(one) for one in (HOURLY, QUARTER)},
    **{f"clocks change, nightly job, {SAID[one]}": job_clocks(one) for one in (HOURLY, FIVE_MINUTES)},
}
"""Series by what happens to them."""
