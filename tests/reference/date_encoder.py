"""Naive twin of the date encoder, on Python's calendar. Source: reference "HTM scalar anomaly models", section 4.4."""

from datetime import datetime, timedelta

from tests.reference.encoders import ScalarEncoder

DAY = timedelta(days=1)


def moment(timestamp):
    return datetime(1970, 1, 1) + timedelta(seconds=timestamp // 1)


def time_of_day(time):
    return time.hour + time.minute / 60


def season(time):
    return time.timetuple().tm_yday - 1


def day_of_week(time):
    return time.weekday() + time_of_day(time) / 24


def weekend(time):
    return float(time.weekday() in (5, 6) or (time.weekday() == 4 and time_of_day(time) > 18))


def custom_day(time, weekdays):
    return float(time.weekday() in weekdays)


def holiday(time, holidays):
    """`holidays` are (month, day) or (year, month, day)."""
    value = 0.0
    for entry in holidays:
        try:
            midnight = datetime(*entry) if len(entry) == 3 else datetime(time.year, *entry)
        except ValueError:
            continue  # 29 February
        if midnight <= time < midnight + DAY:
            return 1.0
        if midnight + DAY <= time < midnight + 2 * DAY:
            return 1 - (time - midnight - DAY).seconds / 86400
        if midnight - DAY < time < midnight:
            value = 1 - (midnight - time).seconds / 86400
    return value


class DateEncoder:
    """Parts are (w, radius) or None. `custom_days` is (w, radius, weekdays), `holiday` is (w, radius, holidays)."""

    def __init__(
        self,
        season=None,
        day_of_week=None,
        weekend=None,
        custom_days=None,
        holiday=None,
        time_of_day=None,
    ):
        self.season, self.day_of_week, self.weekend = season, day_of_week, weekend
        self.custom_days, self.holiday, self.time_of_day = custom_days, holiday, time_of_day

    def parts(self, timestamp):
        """Return (value, encoder) of each part."""
        time = moment(timestamp)
        parts = []
        if self.season:
            parts.append((season(time), 366, True, self.season))
        if self.day_of_week:
            parts.append((day_of_week(time), 7, True, self.day_of_week))
        if self.weekend:
            parts.append((weekend(time), 1, False, self.weekend))
        if self.custom_days:
            parts.append((custom_day(time, self.custom_days[2]), 1, False, self.custom_days))
        if self.holiday:
            parts.append((holiday(time, self.holiday[2]), 1, False, self.holiday))
        if self.time_of_day:
            parts.append((time_of_day(time), 24, True, self.time_of_day))
        return [
            (value, ScalarEncoder(0, maximum, w, radius=radius, periodic=periodic))
            for value, maximum, periodic, (w, radius, *_) in parts
        ]

    @property
    def n(self):
        return sum(encoder.n for _, encoder in self.parts(0.0))

    def encode(self, timestamp):
        """Return (bits, values of the parts)."""
        bits, width = [], 0
        parts = self.parts(timestamp)
        for value, encoder in parts:
            bits += [width + bit for bit in encoder.encode(value)[0]]
            width += encoder.n
        return bits, [value for value, _ in parts]
