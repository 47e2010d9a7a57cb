"""`htmengine incidents`: what is odd right now, and was lately."""

from typing import Annotated

import typer

from htmengine.cli.options import ConfigOption, DataOption, JsonOption


def incidents(
    pattern: Annotated[
        str | None,
        typer.Argument(
            metavar="PATTERN",
            help="Only incidents with a metric of such a name, as in 'web.*'; or the id of one, to see all of it. [default: all]",
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show what changes, as it does.")] = False,
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="TIME",
            help="What was odd from then on: a time ago, such as 90m, 6h or 7d, or a time in UTC, such as 2024-05-01T14:00.",
        ),
    ] = "24h",
    alone: Annotated[
        bool,
        typer.Option(
            "--all", help="Show alarms that came alone, too. In a large fleet some do each hour, by chance."
        ),
    ] = False,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many incidents to show.")] = 20,
    json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Show what is odd now and was lately, with reasons.

    Alarms that belong together are one incident: those that are open come first, and of an incident's metrics the strongest.
    """
    from htmengine.cli import incidents as work
    from htmengine.cli.session import installation

    request = work.Request(
        pattern=pattern, since=work.time_of(since), with_lone=alone, limit=limit, json=json
    )
    with installation(config, data) as context:
        if follow:
            work.follow(context, request)
        else:
            work.show(context, request)
