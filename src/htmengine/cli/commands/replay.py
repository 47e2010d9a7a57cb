"""`htmengine replay`: a metric's history, from a file, at full speed."""

from typing import Annotated

import typer

from htmengine.cli.options import (
    ConfigOption,
    DataOption,
    DayFirstOption,
    EveryOption,
    MissingOption,
    SingleValueOption,
    StartOption,
    TimestampOption,
    WhereOption,
    ZoneOption,
)


def replay(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Any file that `detect` reads; `-`: standard input.")
    ],
    metric: Annotated[str, typer.Option(metavar="NAME", help="Metric to send the samples to.")],
    timestamp: TimestampOption = None,
    value: SingleValueOption = None,
    day_first: DayFirstOption = None,
    tz: ZoneOption = None,
    where: WhereOption = None,
    missing: MissingOption = None,
    every: EveryOption = None,
    start: StartOption = None,
    monitor: Annotated[bool, typer.Option("--monitor", help="Give the metric a model first.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until every sample is stored and scored.")
    ] = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Send a metric's history from a file, at full speed.

    Live samples of the metric that arrive meanwhile are held and follow behind the history. Sending the same file
    again is harmless: samples that are stored already are refused as duplicates. Samples that are refused for another
    reason are counted with it, and the exit code is 1 then.
    """
    from htmengine.cli.inputs import reading_options
    from htmengine.cli.replay import Request, run
    from htmengine.cli.session import print_json

    result, code = run(
        Request(
            source=file,
            metric=metric,
            reading=reading_options(
                timestamp=timestamp,
                values=(value,) if value else (),
                day_first=day_first,
                where=where,
                missing=missing,
                tz=tz,
                every=every,
                start=start,
            ),
            monitor=monitor,
            wait=wait,
            data=data,
            config=config,
        )
    )
    print_json(result)
    if code:
        raise typer.Exit(code)
