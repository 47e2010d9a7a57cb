"""Options and arguments that several commands share. Imports nothing heavy: help must come at once."""

from pathlib import Path
from typing import Annotated, Any, TypeAlias, get_args

import typer

from htmengine.errors import MisuseError


def one_of(option: str, given: str, choices: Any) -> Any:
    """Return what was given, if it is one of a Literal's values. Raises MisuseError."""
    if given not in get_args(choices):
        raise MisuseError(
            f"{option} {given} is not known.", hint=f"Take one of: {', '.join(get_args(choices))}."
        )
    return given


DataOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", help="Folder of the engine's files. [default: htmengine-data, here]"
    ),
]
ConfigOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="DIR",
        help="Configuration directory with application.conf. [default: APPLICATION_CONFIG_PATH]",
    ),
]
JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print JSON, one document for each result, instead of a table.")
]
