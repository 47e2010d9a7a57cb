"""Whatever others wrote, the terminal is not commanded by it."""

import ast
import re
from pathlib import Path

import pytest

from htmengine.cli import results, session, terminal
from htmengine.cli.group import Commands

SOURCE = Path(terminal.__file__).parent
HOSTILE = "cpu\x1b]0;gotcha\x07\x9b31m\u202e"
SHOWN = r"cpu\x1b]0;gotcha\x07\x9b31m\u202e"


def test_all_that_commands_print_goes_through_one_door():
    doors = {"print", "echo", "secho"}
    found = {
        (path.name, call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id)
        for path in SOURCE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name | ast.Attribute)
        and (call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id) in doors
    }
    assert found == {
        ("terminal.py", "echo"),
        ("session.py", "print"),  # a table of Rich's, whose cells are made visible
        ("report.py", "print"),  # a table of Rich's, which has no text of others
    }


def test_results_and_advice_are_visible(capsys):
    terminal.echo_stdout(HOSTILE)
    terminal.echo_stderr(f"{HOSTILE}\nnext")
    assert capsys.readouterr() == (f"{SHOWN}\n", f"{SHOWN}\nnext\n")


def test_tables_are_visible_and_a_row_stays_a_row(capsys):
    session.print_table(("Metric", "Message"), [(HOSTILE, "one\ntwo")])
    assert capsys.readouterr().out == f"Metric{' ' * (len(SHOWN) - 6)}  Message\n{SHOWN}  one\\ntwo\n"


def test_tables_on_a_narrow_terminal_are_visible(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "30")
    session.print_table(("Metric", "Message"), [(HOSTILE, "one " * 20)])
    assert not re.search("[\x07\x9b\u202e]|\x1b]", capsys.readouterr().out)


def test_rows_of_results_are_visible(capsys):
    results.printer(json=False)([results.Row(HOSTILE, 1, 1_700_000_000, 0.42, 0.999, 0.6)])
    results.printer(json=True)([results.Row(HOSTILE, 1, 1_700_000_000, 0.42, 0.999, 0.6)])
    text, document = capsys.readouterr().out.splitlines()
    assert SHOWN in text
    assert document.isascii()


def test_errors_are_visible(capsys):
    import typer

    from htmengine.errors import MisuseError

    app = typer.Typer(cls=Commands)

    @app.callback()
    def options(debug: bool = False) -> None:
        pass

    @app.command()
    def fail() -> None:
        raise MisuseError(f"{HOSTILE}: there is none.", hint="Look.")

    with pytest.raises(SystemExit):
        app(["fail"])
    assert capsys.readouterr().err == f"{SHOWN}: there is none.\nLook.\n"
