"""`htmengine detect`: score the rows of files and show where they were unusual."""

from pathlib import Path
from typing import Annotated, Final

import typer

from htmengine.cli.options import (
    DayFirstOption,
    EveryOption,
    MissingOption,
    StartOption,
    TimestampOption,
    ValueOption,
    WhereOption,
    ZoneOption,
)

SHORT_HELP: Final = "Find what is unusual in a CSV file with times and values."


def detect(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE", help="Files or folders. `-`, or nothing: standard input."),
    ] = None,
    timestamp: TimestampOption = None,
    value: ValueOption = None,
    day_first: DayFirstOption = None,
    tz: ZoneOption = None,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", metavar="COLUMN", help="Score each series that this column tells apart."),
    ] = None,
    where: WhereOption = None,
    all_series: Annotated[
        bool, typer.Option("--all", help="Score every series: each column of numbers, each table.")
    ] = False,
    missing: MissingOption = None,
    every: EveryOption = None,
    start: StartOption = None,
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
    top: Annotated[int, typer.Option(min=1, help="How many incidents, or series, to show.")] = 10,
    passes: Annotated[
        int,
        typer.Option(
            min=1, max=10, help="2: score with what the whole file taught, which no live engine could know."
        ),
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Write every row with its scores: .csv, .jsonl or .parquet."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Draw values, scores and anomalies: .html or .png.")
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Open the engine's page over the series; Ctrl-C ends it.")
    ] = False,
    http_port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, metavar="PORT", help="Port of that page, on this machine; 0 takes a free one."
        ),
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")] = False,
) -> None:
    """Find what is unusual in a time series: in any file with times and values.

    A model learns the series as it reads it and scores every row before learning from it. Neighbouring
    anomalies are shown as one incident, the strongest first.

    Files may be CSV and the like, columns between blanks as of sar or vmstat, JSON of monitoring tools, Excel
    workbooks and Parquet; plain, or packed with gzip, bzip2, xz, Zstandard or ZIP. Columns, times, units and order
    are found out, and what was chosen is said. Rows that cannot be read are counted, reported with their line
    numbers, and skipped. Several files, a folder, --by and --all score many series, the worst first.
    """
    from htmengine.cli.detect import detection
    from htmengine.cli.inputs import reading_options
    from htmengine.detection.result import Choice

    detection.run(
        detection.Request(
            sources=tuple(files or ()),
            reading=reading_options(
                timestamp=timestamp,
                values=value,
                day_first=day_first,
                by=by,
                where=where,
                missing=missing,
                tz=tz,
                every=every,
                start=start,
                all_series=all_series,
            ),
            choice=Choice(params, minimum, maximum, seed, passes, threshold, top),
            out=out,
            plot=plot,
            serves=serve,
            http_port=http_port,
            json=json,
        )
    )
