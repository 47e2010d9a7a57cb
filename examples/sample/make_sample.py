"""Make the sample series: requests per second of a web service, every five minutes for four weeks.

    python make_sample.py [FOLDER]

writes requests.csv (timestamp,value) and labels.csv (start,end,kind: the anomalies that were put in).
The same bytes come out on every machine: the noise is made of integers.
"""

import math
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2024, 3, 4, tzinfo=UTC)  # a Monday
STEP = timedelta(minutes=5)
DAYS = 28
ROWS_PER_DAY = 288
SEED = 20240304

# (day, hour of the day, length in hours, kind); days from 0
ANOMALIES = (
    (15, 10.5, 0.25, "spike"),
    (17, 14.0, 1.0, "dip to zero"),
    (22, 9.0, 10.0, "level shift"),
    (24, 0.0, 24.0, "lost daily pattern"),
)


def expected(row: int) -> float:
    """Return the requests per second to expect: busy by day, quiet by night, quieter at the weekend."""
    day, of_day = divmod(row, ROWS_PER_DAY)
    hour = 24 * of_day / ROWS_PER_DAY
    daylight = 0.5 - 0.5 * math.cos(2 * math.pi * (hour - 3.5) / 24)
    lunch = 0.12 * math.exp(-(((hour - 12.5) / 0.8) ** 2))
    busy = 0.55 if day % 7 >= 5 else 1.0
    return 120 + 480 * busy * (daylight**1.5 - lunch * daylight)


def disturbed(row: int, level: float, kind: str) -> float:
    """Return what an anomaly makes of the expected level."""
    if kind == "spike":
        return 2.4 * level
    if kind == "dip to zero":
        return 0.0
    if kind == "level shift":
        return level + 260
    return 360.0  # the daily pattern is lost


def make_rows() -> list[tuple[datetime, float]]:
    """Return the rows of the series."""
    noise = random.Random(SEED)
    rows = []
    for row in range(DAYS * ROWS_PER_DAY):
        level = expected(row)
        for day, hour, hours, kind in ANOMALIES:
            first = day * ROWS_PER_DAY + round(hour * ROWS_PER_DAY / 24)
            if first <= row < first + round(hours * ROWS_PER_DAY / 24):
                level = disturbed(row, level, kind)
        # Twelve dice of whole numbers: bell-shaped, mean 0, deviation 3.5, and exact everywhere.
        dice = sum(noise.randrange(1001) for _ in range(12)) / 1000 - 6
        value = level * (1 + 0.03 * dice) + 2 * dice * (level > 0)
        rows.append((START + row * STEP, max(0.0, value)))
    return rows


def main(folder: Path) -> None:
    """Write both files into `folder`."""
    lines = [f"{time:%Y-%m-%dT%H:%M:%SZ},{value:.1f}\n" for time, value in make_rows()]
    (folder / "requests.csv").write_text("timestamp,value\n" + "".join(lines), encoding="ascii", newline="\n")
    labels = []
    for day, hour, hours, kind in ANOMALIES:
        start = START + timedelta(days=day, hours=hour)
        end = start + timedelta(hours=hours) - STEP
        labels.append(f"{start:%Y-%m-%dT%H:%M:%SZ},{end:%Y-%m-%dT%H:%M:%SZ},{kind}\n")
    (folder / "labels.csv").write_text("start,end,kind\n" + "".join(labels), encoding="ascii", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
