import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine import foreign
from htmengine.htmengine_logging import VisibleFormatter

SEEN = ["cpu.load", "größe", "温度", "ไทย", "😀", "❤️", "a\u00a0b", "\ue000", "\U000e0fff", ""]
UNSEEN = {
    "a byte order mark": "\ufeffcpu",
    "zero width": "cpu\u200b",
    "a joiner": "a\u200db",
    "right to left": "cpu\u202egnp",
    "an escape": "\x1b[31mred",
    "an escape of one character": "\x9b31mred",
    "nothing": "a\x00b",
    "a tabulator": "a\tb",
    "a line": "a\u2028b",
    "half of a pair": "a\udc80",
    "a filler": "cpu\u3164",
    "an empty pattern": "\u2800",
    "a soft hyphen": "cpu\u00adload",
}


@pytest.mark.parametrize("text", SEEN)
def test_what_can_be_seen_stays(text):
    assert not foreign.has_unseen(text)
    assert foreign.visible(text) == text


@pytest.mark.parametrize("text", UNSEEN.values(), ids=UNSEEN)
def test_what_cannot_be_seen_is_written_out(text):
    assert foreign.has_unseen(text)
    shown = foreign.visible(text)
    assert not foreign.has_unseen(shown)
    assert shown.encode().decode("unicode_escape") == text


@given(st.text(st.characters()))
def test_nothing_that_is_shown_commands_a_terminal(text):
    shown = foreign.visible(text)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown if c != "\n")
    shown.encode()


@pytest.mark.parametrize("text", ["7", "-0.25", "+1.5e9", " 3 ", "007"])
def test_decimal_numbers_are_numbers(text):
    assert foreign.number(text) == float(text)


@pytest.mark.parametrize("text", ["٣", "１２", "1_0", "1\u00a0", "−1", "", "one", "0x10", "1\u200b"])
def test_what_only_python_takes_for_a_number_is_none(text):
    for read in (foreign.number, foreign.whole_number):
        with pytest.raises(ValueError):  # noqa: PT011
            read(text)


def test_logs_command_no_terminal():
    record = logging.LogRecord("n", logging.INFO, "f", 1, "metric=%s", ("\x1b]0;gotcha\x07",), None)
    record.created = 0.0
    assert VisibleFormatter("%(asctime)s %(message)s").format(record) == (
        "1970-01-01T00:00:00 metric=\\x1b]0;gotcha\\x07"
    )
