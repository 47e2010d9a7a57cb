"""How regularly a metric comes: what is usual between two of its samples, and its pauses.

A rhythm is learned from the timestamps of stored rows, one gap after the other: the same rows give the same rhythm, in
however many parts they are read.

- **Usual gaps.** Of each week the three largest gaps are kept. The third largest is what happens again and again; two
  outages a week do not count as usual. A metric that comes regularly is silent when half a gap more has passed, and five
  minutes at least; one that comes irregularly, when three times the gap has passed.
- **Pauses.** A longer gap is kept as a pause for 15 days. A gap that begins at the time of day of yesterday's pause, or at
  the time of the week of one a week or two ago, may last as long as that one. Such gaps do not count among the usual ones:
  a metric that rests at night is still missed at noon.
- **Late data.** Samples that come later than they say, such as those of an agent that sends once an hour, were not missing.
  How late they come is learned, too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

import msgspec

from htmengine.repository.silences import OVERDUE_S

DAY_S: Final = 86_400
WEEK_S: Final = 7 * DAY_S
LEAST_MARGIN_S: Final = float(OVERDUE_S)
"""No gap is a silence before so much more than a usual gap has passed: agents are restarted, hosts boot."""
REGULAR: Final = 1.5
"""Gaps up to so many times the interval are those of a metric that comes regularly."""
ENOUGH_GAPS: Final = 8
"""With fewer gaps known, nothing is a silence."""
MANY_GAPS: Final = 100
"""With fewer gaps in its first week, the largest of them counts, not the third largest."""
REPEATS_S: Final = (DAY_S, WEEK_S, 2 * WEEK_S)
"""So long after a pause the same one may come again."""
PAUSE_KEPT_S: Final = 15 * DAY_S
MAX_PAUSES: Final = 64
BEGINS_WITHIN_S: Final = 5400.0
"""So much earlier or later than the one before it a pause may begin. An hour is what clocks are changed by."""
ENDS_WITHIN_S: Final = 3600.0
LONGER: Final = 1.1
STEP: Final = 1.1
"""The interval follows a gap by this factor at most: in a few gaps to a new interval, and to no single one."""
LIVE_S: Final = float(DAY_S)
"""Samples that come later than this are history."""

_PACKED: Final = struct.Struct("<dIqqdddddd?")


class Pause(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A gap longer than the usual ones; both are timestamps of samples."""

    since: int
    until: int


class Rhythm(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a metric; times in seconds."""

    interval_s: float = 0.0
    """From a sample to the next, typically; 0 while that is not known."""
    gaps: int = 0
    """How many are known, up to MANY_GAPS."""
    week: int = 0
    """That of the newest row, in weeks since the epoch."""
    in_week: int = 0
    """Gaps of it."""
    largest: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Of the gaps of it that are no known pauses, the largest first."""
    before: float = 0.0
    """The usual gap of the last week before it that had rows; 0 if there was none."""
    late_s: float = 0.0
    """So much later than their timestamps samples came this week."""
    late_before_s: float = 0.0
    live: bool = False
    """Whether its samples come about when they were taken. Of history nothing is missed."""
    pauses: tuple[Pause, ...] = ()
    """The newest last."""

    def packed(self) -> bytes:
        """Return everything but the pauses, in a fifth of the memory."""
        return _PACKED.pack(
            self.interval_s,
            self.gaps,
            self.week,
            self.in_week,
            *self.largest,
            self.before,
            self.late_s,
            self.late_before_s,
            self.live,
        )

    @classmethod
    def unpacked(cls, packed: bytes, pauses: tuple[Pause, ...]) -> Rhythm:
        """Return the rhythm of what `packed` returned, and its pauses."""
        interval_s, gaps, week, in_week, *largest, before, late_s, late_before_s, live = _PACKED.unpack(
            packed
        )
        first, second, third = largest
        return cls(
            interval_s,
            gaps,
            week,
            in_week,
            (first, second, third),
            before,
            late_s,
            late_before_s,
            live,
            pauses,
        )

    @property
    def is_known(self) -> bool:
        """Whether enough is known to say what a silence is."""
        return self.live and self.gaps >= ENOUGH_GAPS

    @property
    def usual_gap_s(self) -> float:
        """A gap that happens again and again."""
        if self.before:
            return max(self.before, self.largest[2])
        return _usual(self.largest, self.in_week)

    @property
    def tolerance_s(self) -> float:
        """How long after a sample the next may come for all that is usual at any time."""
        gap = self.usual_gap_s
        more = 0.5 * gap if gap <= REGULAR * self.interval_s else 2.0 * gap
        return gap + max(LEAST_MARGIN_S, more)

    @property
    def lateness_s(self) -> float:
        """How much later than their timestamps samples come."""
        return max(self.late_s, self.late_before_s)

    def resting_until(self, since: int) -> float:
        """Return until when a gap that begins with a sample of this time may last by the pauses; `since` if by none."""
        until = float(since)
        for pause in self.pauses:
            for later in REPEATS_S:
                if abs(pause.since + later - since) <= BEGINS_WITHIN_S:
                    until = max(
                        until,
                        since + LONGER * (pause.until - pause.since),
                        pause.until + later + ENDS_WITHIN_S,
                    )
        return until

    def expected_by(self, since: int) -> float:
        """Return by when, after a sample of this time, the next is expected: what comes later was silent."""
        return max(since + self.tolerance_s, self.resting_until(since)) + self.lateness_s

    def learned(self, timestamps: Iterable[int]) -> Rhythm:
        """Return the rhythm with more rows known: their timestamps, ascending, the first one that of the row before them."""
        rows = iter(timestamps)
        earlier = next(rows, None)
        if earlier is None:
            return self
        found, interval, largest, short = self, self.interval_s, self.largest, 0
        for later in rows:
            gap = later - earlier
            if gap <= LEAST_MARGIN_S and later // WEEK_S == found.week:
                # Never a pause, so that runs of these, which most gaps are, are taken without a new rhythm for each.
                interval = interval or float(gap)
                interval *= min(max(gap / interval, 1 / STEP), STEP)
                if gap > largest[2]:
                    largest = _with(largest, float(gap))
                short += 1
            else:
                found = found._with_short(short, interval, largest)._with_gap(earlier, later)
                interval, largest, short = found.interval_s, found.largest, 0
            earlier = later
        return found._with_short(short, interval, largest)

    def _with_short(self, gaps: int, interval_s: float, largest: tuple[float, float, float]) -> Rhythm:
        """Return the rhythm with so many more gaps, none of them a pause, and what they make of interval and largest."""
        if not gaps:
            return self
        return msgspec.structs.replace(
            self,
            interval_s=interval_s,
            gaps=min(self.gaps + gaps, MANY_GAPS),
            in_week=self.in_week + gaps,
            largest=largest,
        )

    def _with_gap(self, since: int, until: int) -> Rhythm:
        gap = float(until - since)
        known = self._in_week_of(until)
        pauses, largest = known.pauses, known.largest
        is_pause = known.gaps >= ENOUGH_GAPS and gap > known.tolerance_s
        if is_pause:
            kept = [pause for pause in pauses if pause.since > until - PAUSE_KEPT_S]
            pauses = (*kept[1 - MAX_PAUSES :], Pause(since, until))
        if not (is_pause and until <= known.resting_until(since)):
            largest = _with(largest, gap)
        interval = known.interval_s or gap
        if not is_pause:
            interval *= min(max(gap / interval, 1 / STEP), STEP)
        return msgspec.structs.replace(
            known,
            interval_s=interval,
            gaps=min(known.gaps + 1, MANY_GAPS),
            in_week=known.in_week + 1,
            largest=largest,
            pauses=pauses,
        )

    def _in_week_of(self, timestamp: int) -> Rhythm:
        week = timestamp // WEEK_S
        if week == self.week:
            return self
        before = max(self.largest[2], _usual(self.largest, self.in_week)) if self.in_week else self.before
        return msgspec.structs.replace(
            self,
            week=week,
            in_week=0,
            largest=(0.0, 0.0, 0.0),
            before=before,
            late_s=0.0,
            late_before_s=self.late_s,
        )

    def heard(self, age_s: float, *, late: bool) -> Rhythm:
        """Return the rhythm when a new row was seen that had this age.

        Parameters
        ----------
        age_s : of the row by its timestamp.
        late : it came when it was not expected any more, and there was no gap before it.
        """
        live = age_s <= LIVE_S
        late_s = max(self.late_s, age_s) if late and live else self.late_s
        if (live, late_s) == (self.live, self.late_s):
            return self
        return msgspec.structs.replace(self, live=live, late_s=late_s)


def _usual(largest: tuple[float, float, float], gaps: int) -> float:
    return largest[2] if gaps >= MANY_GAPS else largest[0]


def _with(largest: tuple[float, float, float], gap: float) -> tuple[float, float, float]:
    if gap <= largest[2]:
        return largest
    first, second, third = sorted((*largest[:2], gap), reverse=True)
    return first, second, third
