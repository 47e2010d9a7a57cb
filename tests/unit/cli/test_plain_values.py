"""What is read without typer is what typer reads, and what typer refuses is refused by it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from htmengine.cli.group import Group
from htmengine.cli.plain_values import read_here

VALUES = ["", "a", "x y", "Zähler", "0", "7", "-3", "08", "1_000", "٣", "1e3", ".5", "2.50", "99999999999999999999", "nan", " 4", "tests", "no/such/place", "-"]  # fmt: skip
OPTIONS = {
    "text": Annotated[str | None, typer.Option("--it")],
    "number": Annotated[int | None, typer.Option("--it")],
    "small": Annotated[int | None, typer.Option("--it", min=1, max=10)],
    "real": Annotated[float | None, typer.Option("--it")],
    "share": Annotated[float | None, typer.Option("--it", max=1.0)],
    "path": Annotated[Path | None, typer.Option("--it")],
    "file": Annotated[Path | None, typer.Option("--it", exists=True, dir_okay=False)],
    "texts": Annotated[list[str] | None, typer.Option("--it")],
    "numbers": Annotated[list[int] | None, typer.Option("--it")],
    "paths": Annotated[list[Path] | None, typer.Option("--it")],
}


def answers(app, kind):
    """Return an application's command, run with arguments: what it was given, its exit code and what it complains of."""
    given = []

    def command(it=None):
        given.append(it)

    command.__annotations__["it"] = OPTIONS[kind]
    app.command()(command)
    app.command("other")(lambda: None)

    def run(*arguments):
        given.clear()
        done = CliRunner().invoke(app, ["command", *arguments], prog_name="it")
        return [(type(it), repr(it)) for it in given], done.exit_code, done.output

    return run


@pytest.mark.parametrize("kind", OPTIONS)
def test_values_are_read_as_typer_reads_them(kind):
    ours, typers = (
        answers(Group(), kind),
        answers(typer.Typer(rich_markup_mode=None), kind),
    )
    for arguments in [(), *((f"--it={value}",) for value in VALUES), ("--it=1", "--it=2")]:
        assert ours(*arguments) == typers(*arguments), arguments


class OtherParameter:
    """As another version of typer may have one."""

    multiple, nargs, required, callback = False, 1, False, None

    def __init__(self, **described):
        vars(self).update(described)

    def process_value(self, ctx, value):
        return f"by typer: {value}"


@pytest.mark.parametrize(
    "described",
    [
        {},
        {"type_descriptor": None},
        {"type_descriptor": SimpleNamespace(kind=str)},
        {"type_descriptor": SimpleNamespace(annotation=str)},
        {"type_descriptor": SimpleNamespace(annotation=int, parameter_info=SimpleNamespace(parser=None))},
        {"type_descriptor": SimpleNamespace(annotation=Path, parameter_info=SimpleNamespace(parser=None))},
    ],
)
def test_a_parameter_that_is_described_otherwise_is_read_by_typer(described):
    assert read_here(OtherParameter(**described)).process_value(None, "7") == "by typer: 7"


def test_a_parameter_without_the_method_that_is_replaced_stays_as_it_is():
    parameter = SimpleNamespace(type_descriptor=SimpleNamespace(annotation=str))
    assert read_here(parameter) is parameter
    assert not hasattr(parameter, "process_value")
