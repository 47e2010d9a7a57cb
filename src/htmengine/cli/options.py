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


def input_text(path: str) -> str:
    """Return what stands in a file, or for `-` on standard input: UTF-8, with or without a byte order mark.

    Raises MisuseError where it cannot be read.
    """
    import sys

    try:
        given = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return given.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        name = "standard input" if path == "-" else path
        reason = error.strerror if isinstance(error, OSError) else error
        raise MisuseError(
            f"{name}: cannot be read: {reason}.", hint="Give text in UTF-8 that you may read."
        ) from error


DataOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Folder of the engine's files, and of its settings: application.conf. [default: htmengine-data, here]",
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

# Which metrics, and what is done to them.

NamesArgument: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="NAME…", help="Metrics, or patterns of their names such as 'web.*'.")
]
RegexOption: TypeAlias = Annotated[
    bool,
    typer.Option("--regex", help="The names are regular expressions, each of which fits a whole name."),
]
DryRunOption: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be changed, and change nothing.")
]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

# What the user may say about a file of series.

TimestampOption: TypeAlias = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Time column, by name or by number from 1.")
]
ValueOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN", help="Value column, by name or by number from 1."),
]
SingleValueOption: TypeAlias = Annotated[
    str | None, typer.Option("--value", metavar="COLUMN", help="Value column, by name or by number from 1.")
]
DayFirstOption: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--day-first/--month-first",
        help="How to read dates such as 01/07/2014, if the rows leave it open.",
    ),
]
ZoneOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--tz", metavar="ZONE", help="Zone of times that name none, such as Europe/Berlin. [default: UTC]"
    ),
]
WhereOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="COLUMN=CELL", help="Read only rows that have this cell in this column."),
]
MissingOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--missing", metavar="VALUE", help="A value that stands for none, such as -999."),
]
EveryOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--every", metavar="SPAN", help="The rows have no times, but lie so far apart: 30s, 5m, 1h."
    ),
]
StartOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--start", metavar="TIME", help="Time of the first row with --every; day of clocks without a date."
    ),
]

# What is said of a span of time.

FromOption: TypeAlias = Annotated[
    str, typer.Option("--from", metavar="TIME", help="Such as 2024-05-01T14:00Z, or 90m ago.")
]
ToOption: TypeAlias = Annotated[str, typer.Option("--to", metavar="TIME", help="Likewise; it is included.")]
NoteOption: TypeAlias = Annotated[str, typer.Option(metavar="TEXT", help="Why.")]
