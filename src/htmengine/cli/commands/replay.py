"""`htmengine replay`: a metric's history, from a file, at full speed."""

from pathlib import Path
from typing import Annotated

import typer

from htmengine.cli.options import ConfigOption, DataOption


def replay(
    file: Annotated[
        str, typer.Argument(metavar="FILE.csv", help="CSV file, plain or .gz; `-`: standard input.")
    ],
    metric: Annotated[str, typer.Option(metavar="NAME", help="Metric to send the samples to.")],
    timestamp: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Time column, by name or by number from 1.")
    ] = None,
    value: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Value column, by name or by number from 1.")
    ] = None,
    day_first: Annotated[
        bool | None,
        typer.Option("--day-first/--month-first", help="How to read dates such as 01/07/2014."),
    ] = None,
    monitor: Annotated[bool, typer.Option("--monitor", help="Give the metric a model first.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until every sample is stored and scored.")
    ] = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Send a metric's history from a CSV file, at full speed.

    Live samples of the metric that arrive meanwhile are held and follow behind the history. Sending the same file
    again is harmless: samples that are stored already are refused as duplicates.
    """
    from htmengine.cli.replay import Request, run
    from htmengine.cli.session import print_json

    print_json(
        run(
            Request(
                file=Path(file),
                metric=metric,
                timestamp=timestamp,
                value=value,
                day_first=day_first,
                monitor=monitor,
                wait=wait,
                data=data,
                config=config,
            )
        )
    )
