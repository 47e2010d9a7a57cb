"""`htmengine metrics`: what metrics there are."""

import sys
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
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many.")] = None,
    after: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only those behind this name: where the last call ended."),
    ] = None,
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
            if selection is None and (limit or after is not None):
                found = overview.page(conn, after, (limit or sys.maxsize - 1) + 1)
            else:
                found = overview.metrics(conn, selection and [state.name for state in selection.found])
                found = [row for row in found if after is None or row.name > after]
            more, found = limit is not None and len(found) > limit, found[:limit]
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
    elif not names and after is None:
        echo_stderr("There are no metrics yet. Send a sample: htmengine send 'cpu.load 0.42'")
    if more:
        echo_stderr(f"There are more: --after '{found[-1].name}' goes on.")
    if selection:
        require_all(selection)
