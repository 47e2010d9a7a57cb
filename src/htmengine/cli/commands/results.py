"""`htmengine results`: scores, stored ones or as they come."""

from typing import Annotated

import typer

from htmengine.cli.options import ConfigOption, DataOption, JsonOption, RegexOption, one_of
from htmengine.errors import MisuseError


def results(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME…", help="Metrics, or patterns of their names, such as 'web.*'. [default: all]"
        ),
    ] = None,
    regex: RegexOption = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show new results as they come.")] = False,
    min_score: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            metavar="SCORE",
            help="Only rows with at least this log score; from 0.5 a row is an anomaly.",
        ),
    ] = 0.0,
    sort: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            help="time: the newest rows, in the order of their times. score: the strongest of the newest, from 0.2 on.",
        ),
    ] = "time",
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many stored rows to show.")] = 20,
    json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Show the newest scores, and with --follow go on as they come."""
    from htmengine.cli import results as work
    from htmengine.cli.session import installation

    how = one_of("--sort", sort, work.Sort)
    if follow and how == "score":
        raise MisuseError(
            "--follow and --sort score are both given.",
            hint="Give one: with --follow, results are shown in the order of their times.",
        )
    wanted = work.Wanted(names or (), regex)
    with installation(config, data) as context:
        if follow:
            work.follow(context, wanted, min_score=min_score, limit=limit, json=json)
        else:
            work.show_stored(context, wanted, min_score=min_score, limit=limit, json=json, sort=how)
