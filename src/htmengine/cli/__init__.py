"""The command `htmengine`: one file per command, results on stdout, progress and advice on stderr.

Exit codes: 0 done, 1 failed, 2 misused. Commands import what is heavy when they run, so that help comes at once.
"""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from htmengine.cli.detect import detect
from htmengine.errors import HtmengineError


class Commands(TyperGroup):
    """Runs a command and shows its errors as two lines: what is wrong, and what to do next."""

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)
        if option is not None:
            # Without a default, typer imports pydantic to check that no --help was given before the command's
            # name: that takes longer than all the rest of showing a command's help.
            option.default = False
        return option

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except HtmengineError as error:
            if ctx.params["debug"]:
                raise
            typer.echo(f"{error}\n{error.hint}", err=True)
            raise typer.Exit(error.exit_code) from error


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich alone would double the time to show it
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"htmengine {version('htmengine')}")
        except PackageNotFoundError:
            typer.echo("htmengine, run from its source tree")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Real-time anomaly detection for scalar metrics with Hierarchical Temporal Memory."""


app.command()(detect)


def main() -> None:
    """Run the command line."""
    app(prog_name="htmengine")
