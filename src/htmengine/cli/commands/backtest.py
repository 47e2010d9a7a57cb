"""`htmengine backtest`: what other settings would have told."""

from pathlib import Path
from typing import Annotated

import typer

from htmengine.cli.options import ConfigOption, DataOption, JsonOption


def backtest(
    pattern: Annotated[
        str, typer.Argument(metavar="PATTERN", help="Metrics to look at, such as 'web.*'.")
    ] = "*",
    since: Annotated[
        str, typer.Option(metavar="TIME", help="From when on: 28d ago, or a time in UTC: 2024-05-01.")
    ] = "28d",
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Up to when. [default: now]")] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Let new models of this parameter set score the rows again. May be given several times.",
        ),
    ] = None,
    rules: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Rules to try. May be given several times. [default: alerts.toml in use, or the rule that holds without one]",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What were anomalies: CSV with metric,from,to, or windows of the Numenta benchmark. [default: the labels that are stored]",
        ),
    ] = None,
    json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Say what other models and rules would have told, side by side.

    The alarms that were stored are always among what is compared. Models that are tried begin with the oldest row that is
    stored, so that they have learned when the time begins. Nothing is stored or sent.
    """
    import time

    from htmengine.cli.backtest import Request, run
    from htmengine.cli.incidents import time_of
    from htmengine.cli.session import installation

    request = Request(
        pattern=pattern,
        since=time_of(since),
        until=time.time() if until is None else time_of(until, option="--until"),
        models=tuple(model or ()),
        rules=tuple(rules or ()),
        labels=labels,
        json=json,
    )
    with installation(config, data) as context:
        run(context, request)
