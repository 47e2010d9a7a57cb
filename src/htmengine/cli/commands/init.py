"""`htmengine init`: write a working configuration of an application."""

from pathlib import Path
from typing import Annotated

import typer

from htmengine.cli.options import one_of
from htmengine.cli.terminal import echo_stderr, echo_stdout


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the application; it is made.")],
    name: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Name of the application: begins the names of its queues and exchanges."
        ),
    ] = "htmengine",
    bus: Annotated[str, typer.Option(metavar="BUS", help="embedded or rabbitmq.")] = "embedded",
    repository: Annotated[
        str, typer.Option(metavar="DIALECT", help="sqlite, mysql (also for MariaDB) or postgresql.")
    ] = "sqlite",
    port: Annotated[
        int, typer.Option(min=1, max=65535, metavar="PORT", help="Port of the plaintext protocol.")
    ] = 2003,
    http_port: Annotated[
        int,
        typer.Option(min=0, max=65535, metavar="PORT", help="Port of the page and the HTTP API; 0: none."),
    ] = 2080,
) -> None:
    """Write a commented, working configuration into a folder.

    DIR gets conf/, logs/ and data/. By default it runs everything on this machine, without servers. For servers, look into rabbitmq.conf and into
    [repository] of application.conf for their addresses, then make the database: `htmengine db create`.
    """
    from htmengine import config
    from htmengine.config import templates

    choices = templates.Choices(
        bus=one_of("--bus", bus, config.BusName),
        dialect=one_of("--repository", repository, config.Dialect),
        port=port,
        http_port=http_port,
    )
    for path in templates.write(folder, name, choices):
        echo_stdout(path)
    directory = folder.absolute() / "conf"
    servers = [
        file
        for file, asked in (
            ("rabbitmq.conf", bus == "rabbitmq"),
            ("[repository] of application.conf", repository != "sqlite"),
        )
        if asked
    ]
    if servers:
        echo_stderr(f"Say where the servers are, in {directory}: {' and '.join(servers)}.")
    if repository != "sqlite":
        echo_stderr(f"Make the database: htmengine db create --config {directory}")
    echo_stderr(
        f"Start it: htmengine up --config {directory}\n"
        f"Or its services one by one under supervisord, in {folder.absolute()}: supervisord -c conf/supervisord.conf",
    )
