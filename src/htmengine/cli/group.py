"""How a group of commands shows help and errors."""

from typing import Any

import typer
from typer.core import TyperGroup

from htmengine.cli.terminal import echo_stderr
from htmengine.errors import ExplainedError


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
        except ExplainedError as error:
            if ctx.find_root().params["debug"]:
                raise
            echo_stderr(f"{error}\n{error.hint}")
            raise typer.Exit(error.exit_code) from error
