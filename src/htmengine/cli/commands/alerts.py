"""`htmengine alerts`: who is told of incidents, and what became of it."""

from pathlib import Path
from typing import Annotated

import typer

from htmengine.cli.group import Group
from htmengine.cli.options import ConfigOption, DataOption, JsonOption

alerts = Group(
    help="See who was told of incidents; try targets and rules.",
)


@alerts.command("list")
def list_(
    state: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATE",
            help="Only notices that are pending, retrying, delivered, dead (given up) or suppressed (not to be sent). May be "
            "given several times.",
        ),
    ] = None,
    target: Annotated[str | None, typer.Option(metavar="NAME", help="Only those to this target.")] = None,
    incident: Annotated[str | None, typer.Option(metavar="ID", help="Only those of this incident.")] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Only from then on: a time ago, such as 90m, 6h or 7d, or a time in UTC, such as 2024-05-01T14:00.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many to show.")] = 50,
    json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """List notices to targets, the newest first.

    What became of each, how often it was tried, and why it was not sent.
    """
    from htmengine.cli import alerts as work
    from htmengine.cli.session import installation

    request = work.ListRequest(
        states=work.states_of(state or ()),
        target=target,
        incident=work.number_of(incident),
        since=work.since_of(since),
        limit=limit,
        json=json,
    )
    with installation(config, data) as context:
        work.show(context, request)


@alerts.command()
def check(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A file of targets and rules. [default: alerts.toml in use]"),
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Report every fault of alerts.toml with its line.

    Where there is none it shows what the file says; nothing is sent. Exits with 2 if there is a fault.
    """
    from htmengine.cli import alerts as work
    from htmengine.service.context import settings_for

    work.check(file or settings_for(config, data).alerts)


@alerts.command("test")
def try_target(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="As alerts.toml names it.")],
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Send a test message to a target, and say what came of it.

    A target that wanted nothing any more is used again if it takes it.
    """
    from htmengine.cli import alerts as work
    from htmengine.cli.session import new_or_existing

    with new_or_existing(config, data) as context:
        work.test(context, target)


@alerts.command()
def preview(
    since: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="Look at incidents from then on: a time ago, such as 12h or 30d, or a time in UTC, such as 2024-05-01.",
        ),
    ] = "30d",
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rules to try. [default: alerts.toml in use]")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many to show.")] = 50,
    json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Say what rules would have sent of stored incidents.

    Nothing is sent. With a budget, the score is used that it takes now.
    """
    from htmengine.cli import alerts as work
    from htmengine.cli.incidents import time_of
    from htmengine.cli.session import installation

    begin = time_of(since)
    with installation(config, data) as context:
        work.preview(context, file or context.settings.alerts, begin, limit=limit, json=json)


@alerts.command("send-again")
def send_again(
    ids: Annotated[
        list[int] | None,
        typer.Argument(metavar="ID", help="Notices, as `htmengine alerts list` numbers them."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that were given up.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Send notices again, whatever became of them.

    A notice keeps its id: receivers that know it by that show it once.
    """
    from htmengine.cli import alerts as work
    from htmengine.cli.session import installation, print_json

    with installation(config, data) as context:
        print_json({"sentAgain": work.send_again(context, ids or (), everything=everything)})
