"""`htmengine detect`: score the rows of a CSV file and show where they were unusual."""

from pathlib import Path
from typing import Annotated

import typer


def detect(
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE.csv", help="CSV file, plain or .gz. `-`, or nothing: standard input."),
    ] = None,
    timestamp: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Time column, by name or by number from 1.")
    ] = None,
    value: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Value column, by name or by number from 1.")
    ] = None,
    day_first: Annotated[
        bool | None,
        typer.Option(
            "--day-first/--month-first",
            help="How to read dates such as 01/07/2014, if the rows leave it open.",
        ),
    ] = None,
    params: Annotated[
        str, typer.Option(metavar="NAME", help="Parameter set of the model: default, nupic or nupic-tm.")
    ] = "default",
    minimum: Annotated[
        float | None, typer.Option("--min", help="Lowest value to expect, if known. [default: from the rows]")
    ] = None,
    maximum: Annotated[
        float | None,
        typer.Option("--max", help="Highest value to expect, if known. [default: from the rows]"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the model's randomness. [default: the parameter set's own]")
    ] = None,
    threshold: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, help="Log score from which a row is an anomaly; a lower one shows more rows."
        ),
    ] = 0.5,
    top: Annotated[int, typer.Option(min=1, help="How many incidents to show.")] = 10,
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Write every row with its scores: .csv, .jsonl or .parquet."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Draw values, scores and anomalies: .html or .png.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")] = False,
) -> None:
    """Find what is unusual in a time series: any CSV file with a time and a value column.

    A model learns the series as it reads it and scores every row before learning from it. Neighbouring
    anomalies are shown as one incident, the strongest first.

    Times may be ISO 8601, day/month/year, month/day/year, RFC 2822, compact (20140701T0000), epoch seconds,
    milli-, micro- or nanoseconds. Times without a zone are taken as UTC. Rows that cannot be read are counted,
    reported with their line numbers, and skipped.
    """
    from htmengine.cli.detect import detection

    detection.run(
        detection.Request(
            source=file,
            timestamp=timestamp,
            value=value,
            day_first=day_first,
            params=params,
            minimum=minimum,
            maximum=maximum,
            seed=seed,
            threshold=threshold,
            top=top,
            out=out,
            plot=plot,
            json=json,
        )
    )
