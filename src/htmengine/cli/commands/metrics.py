"""`htmengine metrics`: what metrics there are."""

from typing import Annotated

import typer

from htmengine.cli.options import ConfigOption, DataOption, JsonOption, RegexOption


def metrics(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME…", help="Only these; also patterns of names, such as 'web.*'. [default: all]"
        ),
    ] = None,
    regex: RegexOption = False,
    json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """List metrics with their samples and scores, and which are silent."""
    from htmengine.cli.selection import require_all, select
    from htmengine.cli.session import installation, print_json, print_table, utc
    from htmengine.cli.terminal import echo_stderr
    from htmengine.repository import overview, silences

    with installation(config, data) as context:
        selection = select(context, names, regex=regex) if names else None
        with context.database.read() as conn:
            found = overview.metrics(conn, selection and [state.name for state in selection.found])
            silent = {silence.uid: silence.since for silence in silences.lasting(conn)}
    if json:
        for row in found:
            print_json(
                {
                    "metric": row.name,
                    "uid": row.uid,
                    "status": row.status_name,
                    "samples": row.last_rowid,
                    "scored": row.scored_rowid,
                    "unscored": row.unscored,
                    "lastTimestamp": row.tail_timestamp,
                    "silentSince": silent.get(row.uid),
                    "message": row.message,
                }
            )
    elif found:
        print_table(
            ("Metric", "Status", "Samples", "Scored", "Last sample (UTC)"),
            [
                (
                    row.name,
                    f"{row.status_name}, silent" if row.uid in silent else row.status_name,
                    row.last_rowid,
                    row.scored_rowid,
                    utc(row.tail_timestamp),
                )
                for row in found
            ],
        )
    elif not names:
        echo_stderr("There are no metrics yet. Send a sample: htmengine send 'cpu.load 0.42'")
    if selection:
        require_all(selection)
