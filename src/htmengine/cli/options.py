"""Options and arguments that several commands share. Imports nothing heavy: help must come at once."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

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
