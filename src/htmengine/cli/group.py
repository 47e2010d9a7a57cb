"""How commands and groups of them read what is given, and show help and errors."""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from htmengine.cli.plain_values import read_here
from htmengine.cli.terminal import echo_stderr
from htmengine.errors import ExplainedError

Function = TypeVar("Function", bound=Callable[..., Any])


class Command(TyperCommand):
    """A command."""

    def get_params(self, ctx: Any) -> Any:
        return [read_here(parameter) for parameter in super().get_params(ctx)]


class Commands(TyperGroup):
    """Runs a command and shows its errors as two lines: what is wrong, and what to do next."""

    def get_params(self, ctx: Any) -> Any:
        return [read_here(parameter) for parameter in super().get_params(ctx)]

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ExplainedError as error:
            if ctx.find_root().params["debug"]:
                raise
            echo_stderr(f"{error}\n{error.hint}")
            raise typer.Exit(error.exit_code) from error


class Group(typer.Typer):
    """Commands below one name. Without one of them, help is shown: plain, since rich would take as long as all else."""

    def __init__(self, *, cls: type[TyperGroup] = Commands, **settings: Any) -> None:
        super().__init__(cls=cls, no_args_is_help=True, rich_markup_mode=None, **settings)

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Function], Function]:
        """Decorate the function of a command."""
        return super().command(name, cls=Command, **settings)


class CommandsOfModules(Mapping[str, Any]):
    """Commands by name, each imported when it is asked for.

    Parameters
    ----------
    package : the modules are in it.
    places : by the name of a command, its module and in that its function or group: `module.function`. A module's SHORT_HELP
        stands in the list of commands.
    """

    def __init__(self, package: str, places: Mapping[str, str]) -> None:
        self._package = package
        self._places = places
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            module_name, _, attribute = self._places[name].partition(".")
            module = import_module(f"{self._package}.{module_name}")
            found = getattr(module, attribute)
            if isinstance(found, Group):
                command: Any = typer.main.get_group(found)
            else:
                alone = Group(add_completion=False)
                alone.command(short_help=getattr(module, "SHORT_HELP", None))(found)
                command = typer.main.get_command(alone)
            command.name = name
            self._made[name] = command
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
