"""`htmengine sql`: a question in SQL to the engine's own database."""

from typing import Annotated

import typer

from htmengine.cli.options import ConfigOption, DataOption


def sql(
    statement: Annotated[
        str,
        typer.Argument(
            metavar="STATEMENT", help="Such as 'SELECT * FROM metric'; `-` reads it from standard input."
        ),
    ] = "-",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each row.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a line of headings.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Ask the engine's own database in SQL; nothing is changed.

    The engine may run or not. Compressed rows are read, too, which other clients of SQLite cannot do. The tables, such as `metric` and `metric_data`:
    docs/reference/tables.md. Whole numbers, text and NULL come as they are; CSV has bytes as hexadecimal digits, JSON in base64.
    """
    from htmengine.cli import sql
    from htmengine.cli.options import input_text
    from htmengine.errors import MisuseError
    from htmengine.service.context import require_data, settings_for

    if as_json and as_csv:
        raise MisuseError("--json and --csv are both given.", hint="Give one of them, or none for a table.")
    settings = settings_for(config, data)
    path = sql.repository_file(settings)
    require_data(settings)
    text = input_text(statement) if statement == "-" else statement
    sql.ask(path, text, as_json=as_json, as_csv=as_csv)
