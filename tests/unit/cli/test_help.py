"""The help of every command, as a terminal of 80 columns shows it."""

import pytest
import typer
from typer.testing import CliRunner

from htmengine.cli.app import app


def commands(group, path=()):
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


COMMANDS = list(commands(typer.main.get_command(app)))


def shown(path):
    done = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "80"})
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_fits_and_names_what_is_to_be_given(path):
    text = shown(path)
    assert max(map(len, text.splitlines())) <= 80
    assert "[[" not in text


@pytest.mark.parametrize("path", [(), ("alerts",), ("db",), ("dead",), ("config",)], ids=" ".join)
def test_no_summary_of_a_command_is_cut(path):
    _, _, listed = shown(path).partition("Commands:")
    assert listed
    assert "..." not in listed


def test_a_shell_can_be_taught_to_complete():
    done = CliRunner().invoke(
        app,
        [],
        prog_name="htmengine",
        env={"_HTMENGINE_COMPLETE": "complete_bash", "COMP_WORDS": "htmengine unm", "COMP_CWORD": "1"},
    )
    assert done.stdout.split() == ["unmonitor"]
