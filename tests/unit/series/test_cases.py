"""Files that were once read wrongly, as they are kept beside the project: `HTMENGINE_REFERENCE_DATA`."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from htmengine.series import reader
from htmengine.series.options import Options

REFERENCE = os.environ.get("HTMENGINE_REFERENCE_DATA")
CASES = Path(REFERENCE or "") / "cases"
pytestmark = [
    pytest.mark.golden,
    pytest.mark.skipif(not REFERENCE, reason="HTMENGINE_REFERENCE_DATA is not set"),
]


def read(case, **options):
    (path,) = CASES.glob(f"{case}-*/input.*")
    with path.open("rb") as stream:
        return list(reader.read(stream, path.name, Options(**options)))


@pytest.mark.parametrize(
    ("case", "options", "rows", "first", "last"),
    [
        ("04", {}, 1500, "2024-03-04 00:00:00.490", "2024-03-09 04:55:00.490"),
        ("06", {}, 1000, "2024-03-04 00:00", "2024-04-14 15:00"),
        ("08", {}, 1500, "2024-03-04 00:00", "2024-03-09 04:55"),
        ("09", {}, 1500, "2024-03-04 00:00", "2024-03-09 04:55"),
        ("10", {}, 1500, "2024-03-04 00:00", "2024-03-09 04:55"),
        ("12", {"values": ("102",)}, 1500, "2024-03-04 00:00", "2024-03-09 04:55"),
        ("13", {}, 1500, "2024-03-04 00:00", "2024-03-09 04:55"),
        ("15", {}, 1500, "2024-03-04 00:00", "2024-03-09 04:55"),
        ("18", {}, 800, "2024-03-04 00:00", "2024-04-06 07:00"),
        ("19", {}, 1500, "2024-03-04 00:00", "2024-03-09 04:55"),
        ("20", {}, 1500, "2024-03-04 00:00", "2024-03-09 04:55"),
        ("26", {}, 1250, "2024-03-03 22:00", "2024-03-09 04:55"),
        ("27", {"every_s": 300.0, "start": 1709510400.0}, 1500, "2024-03-04 00:00", "2024-03-09 04:55"),
        ("28", {}, 1500, "2024-03-03 23:00", "2024-03-09 03:55"),
        ("30", {}, 1500, "2024-03-04 00:00", "2024-03-09 04:55"),
        ("31", {}, 1500, "2024-03-04 00:00", "2024-03-09 04:55"),
    ],
)
def test_the_case_is_read(case, options, rows, first, last):
    (series,) = read(case, **options)
    assert len(series.lines) == rows
    assert [datetime.fromtimestamp(series.timestamps[i], UTC).replace(tzinfo=None) for i in (0, -1)] == [
        datetime.fromisoformat(first),
        datetime.fromisoformat(last),
    ]


def test_each_series_of_a_case_is_read():
    assert [series.label for series in read("10", by=("host",))] == ["host=a", "host=b", "host=c"]


def test_bad_rows_of_a_case_are_told_in_the_order_of_its_lines():
    (series,) = read("26")
    lines = [row.line for row in series.bad.first]
    assert lines == sorted(lines)
