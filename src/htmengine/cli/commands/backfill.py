"""`htmengine backfill`: the histories of many metrics, from where they lie."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from htmengine.cli.group import Group
from htmengine.cli.options import (
    ConfigOption,
    DataOption,
    DayFirstOption,
    EveryOption,
    MissingOption,
    StartOption,
    TimestampOption,
    ValueOption,
    WhereOption,
    ZoneOption,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from htmengine.cli.backfill import Failures, Request
    from htmengine.histories.source import Source

backfill = Group(
    help="Send the histories of many metrics, from where they lie.\n\n"
    "Live samples of a metric that arrive while its history is sent are held and follow behind it. A command that broke "
    "off goes on where it was when it is given again: of a metric that has rows only what is later is sent.",
)

UrlArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="URL", help="Address below which the server's API begins.")
]
SinceOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--since", metavar="TIME", help="From when on: 30d ago, or a time in UTC: 2024-05-01T14:00."
    ),
]
UntilOption: TypeAlias = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Up to when. [default: now]")
]
PrefixOption: TypeAlias = Annotated[
    str, typer.Option("--prefix", metavar="TEXT", help="What all names begin with, such as lab.")
]
MonitorOption: TypeAlias = Annotated[
    bool, typer.Option("--monitor", help="Give each metric a model, whatever the rules say.")
]
WaitOption: TypeAlias = Annotated[
    bool, typer.Option("--wait", help="Wait until every sample is stored and scored.")
]
DryRunOption: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="List the metrics, and send nothing.")
]
TokenFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--token-file", metavar="FILE", help="Holds the bearer token that the server wants."),
]
UserOption: TypeAlias = Annotated[
    str | None, typer.Option("--user", metavar="NAME", help="Whom the server knows.")
]
PasswordFileOption: TypeAlias = Annotated[
    Path | None, typer.Option("--password-file", metavar="FILE", help="Holds the user's password.")
]


def _run(request: Request, source: Callable[[Failures], Source]) -> None:
    from htmengine.cli.backfill import run
    from htmengine.cli.session import print_json

    result, code = run(request, source)
    print_json(result)
    if code:
        raise typer.Exit(code)


@backfill.command()
def prometheus(
    url: UrlArgument,
    match: Annotated[
        list[str] | None,
        typer.Option(metavar="SELECTOR", help="Series to send, such as '{job=\"node\"}'. [default: all]"),
    ] = None,
    since: SinceOption = "15d",
    until: UntilOption = None,
    drop_label: Annotated[
        list[str] | None, typer.Option(metavar="LABEL", help="A label that names do without.")
    ] = None,
    prefix: PrefixOption = "",
    monitor: MonitorOption = False,
    wait: WaitOption = False,
    dry_run: DryRunOption = False,
    token_file: TokenFileOption = None,
    user: UserOption = None,
    password_file: PasswordFileOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Send what a Prometheus server keeps, as it was scraped.

    Series have the names that they have by remote write, and counters become rates likewise.
    """
    from htmengine.cli.backfill import Request, connection
    from htmengine.histories.prometheus import Prometheus

    server = connection(url, token_file, user, password_file)
    _run(
        Request(since, until, prefix, monitor, wait, dry_run, data, config),
        lambda _: Prometheus(server, match or (), drop_labels=drop_label or ()),
    )


@backfill.command()
def victoriametrics(
    url: UrlArgument,
    match: Annotated[
        list[str] | None,
        typer.Option(metavar="SELECTOR", help="Series to send, such as '{job=\"node\"}'. [default: all]"),
    ] = None,
    since: SinceOption = "30d",
    until: UntilOption = None,
    drop_label: Annotated[
        list[str] | None, typer.Option(metavar="LABEL", help="A label that names do without.")
    ] = None,
    prefix: PrefixOption = "",
    monitor: MonitorOption = False,
    wait: WaitOption = False,
    dry_run: DryRunOption = False,
    token_file: TokenFileOption = None,
    user: UserOption = None,
    password_file: PasswordFileOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Send what VictoriaMetrics keeps, by its export."""
    from htmengine.cli.backfill import Request, connection
    from htmengine.histories.prometheus import VictoriaMetrics

    server = connection(url, token_file, user, password_file)
    _run(
        Request(since, until, prefix, monitor, wait, dry_run, data, config),
        lambda _: VictoriaMetrics(server, match or (), drop_labels=drop_label or ()),
    )


@backfill.command()
def graphite(
    url: UrlArgument,
    match: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Series to send, such as 'web.*.cpu'. [default: all]"),
    ] = None,
    since: SinceOption = "30d",
    until: UntilOption = None,
    prefix: PrefixOption = "",
    monitor: MonitorOption = False,
    wait: WaitOption = False,
    dry_run: DryRunOption = False,
    token_file: TokenFileOption = None,
    user: UserOption = None,
    password_file: PasswordFileOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Send what Graphite keeps, by its render API, each piece of time in the finest resolution that there is."""
    from htmengine.cli.backfill import Request, connection
    from htmengine.histories.graphite import Graphite

    server = connection(url, token_file, user, password_file)
    _run(
        Request(since, until, prefix, monitor, wait, dry_run, data, config),
        lambda _: Graphite(server, match or ()),
    )


@backfill.command()
def influxdb(
    url: UrlArgument,
    database: Annotated[str, typer.Option(metavar="NAME", help="Database to read.")],
    match: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Measurements to send, such as 'cpu*'. [default: all]"),
    ] = None,
    retention_policy: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where to read. [default: the database's]")
    ] = None,
    since: SinceOption = "30d",
    until: UntilOption = None,
    prefix: PrefixOption = "",
    monitor: MonitorOption = False,
    wait: WaitOption = False,
    dry_run: DryRunOption = False,
    token_file: TokenFileOption = None,
    user: UserOption = None,
    password_file: PasswordFileOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Send the numeric fields that an InfluxDB database keeps, by the query API of version 1."""
    from htmengine.cli.backfill import Request, connection
    from htmengine.histories.influxdb import InfluxDB

    server = connection(url, token_file, user, password_file)
    _run(
        Request(since, until, prefix, monitor, wait, dry_run, data, config),
        lambda _: InfluxDB(server, database, match or (), retention_policy=retention_policy),
    )


@backfill.command()
def files(
    sources: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="Files that `detect` reads, or folders of them.")
    ],
    by: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Columns that tell series of a file apart.")
    ] = None,
    all_series: Annotated[
        bool, typer.Option("--all", help="Each series of a file, of each column of numbers.")
    ] = False,
    timestamp: TimestampOption = None,
    value: ValueOption = None,
    day_first: DayFirstOption = None,
    tz: ZoneOption = None,
    where: WhereOption = None,
    missing: MissingOption = None,
    every: EveryOption = None,
    start: StartOption = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="From when on. [default: all]")] = None,
    until: UntilOption = None,
    prefix: PrefixOption = "",
    monitor: MonitorOption = False,
    wait: WaitOption = False,
    dry_run: DryRunOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Send the series of files and folders; a metric has the name of its file, and of its series where there are several.

    `htmengine replay` sends one series under a name that is given.
    """
    from htmengine.cli.backfill import Request
    from htmengine.cli.inputs import reading_options
    from htmengine.cli.terminal import echo_stderr
    from htmengine.histories.files import Files, named

    options = reading_options(
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
    )
    paths = named(sources)
    _run(
        Request(since, until, prefix, monitor, wait, dry_run, data, config),
        lambda failures: Files(paths, options, say=echo_stderr, fail=failures.__setitem__),
    )
