"""Times as Graphite writes them."""

from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.graphite.times import parse_interval, parse_time

NOW = 1_790_000_000  # Monday, 21 September 2026, 13:33:20 UTC


def shown(text, zone=UTC):
    return datetime.fromtimestamp(parse_time(text, NOW, zone), UTC).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("now", "2026-09-21 14:13:20"),
        ("-1h", "2026-09-21 13:13:20"),
        ("-1h30min", "2026-09-21 12:43:20"),
        ("now-1mon", "2026-08-22 14:13:20"),
        ("12:30pm", "2026-09-21 12:30:00"),
        ("12am", "2026-09-21 00:00:00"),
        ("noon_yesterday", "2026-09-20 12:00:00"),
        ("teatime+1d", "2026-09-22 16:00:00"),
        ("20260131", "2026-01-31 00:00:00"),
        ("10:30_20260131", "2026-01-31 10:30:00"),
        ("01/31/70", "1970-01-31 00:00:00"),
        ("mon", "2026-09-21 00:00:00"),
        ("sunday", "2026-09-20 00:00:00"),
        ("1790000000", "2026-09-21 14:13:20"),
    ],
)
def test_a_time_is_understood(text, meant):
    assert shown(text) == meant


def test_days_and_clocks_are_those_of_the_zone():
    assert shown("midnight", ZoneInfo("Europe/Berlin")) == "2026-09-20 22:00:00"


@pytest.mark.parametrize(
    "text",
    ["soon", "-1parsec", "25:00", "13pm", "99999999999999999999", "-1", "--1h", "20261331x", "-99999999999y"],
)
def test_what_is_no_time_is_refused_in_words(text):
    with pytest.raises(ValueError, match=r"is no time|outside"):
        parse_time(text, NOW, UTC)


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_a_value_error(text):
    for read in (lambda: parse_time(text, NOW, UTC), lambda: parse_interval(text)):
        with suppress(ValueError):
            assert isinstance(read(), int)
