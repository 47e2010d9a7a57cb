import io

import pytest

from htmengine.cli import session

ROWS = [("web.requests", 7, None, 1.5), ("x" * 90, 1234567, "a reason", None)]
HEADINGS = ("Metric", "Samples", "Why", "Score")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def columns(monkeypatch):
    return lambda width: monkeypatch.setenv("COLUMNS", str(width))


def test_a_pipe_gets_a_line_for_each_row_without_blanks_behind_it(capsys):
    session.print_table(HEADINGS, ROWS)
    assert capsys.readouterr().out.splitlines() == [
        f"{'Metric':90}  Samples  {'Why':8}  Score",
        f"{'web.requests':90}        7  {'':8}    1.5",
        f"{'x' * 90}  1234567  a reason",
    ]


@pytest.mark.parametrize(("width", "fits"), [(200, True), (60, False)])
def test_a_terminal_that_is_too_narrow_gets_folded_cells(monkeypatch, columns, width, fits):
    columns(width)
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    session.print_table(HEADINGS, ROWS)
    shown = terminal.getvalue()
    assert "1234567" in shown
    assert (len(shown.splitlines()) == 3) is fits


def test_a_table_without_rows_has_its_headings(capsys):
    session.print_table(HEADINGS, [])
    assert capsys.readouterr().out == "Metric  Samples  Why  Score\n"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 dead letters"), (1, "1 dead letter"), (2, "2 dead letters")]
)
def test_one_is_no_plural(count, text):
    assert session.number_of(count, "dead letter") == text
