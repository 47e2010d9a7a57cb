"""`htmengine init`: write a working configuration of an application."""

from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the application; it is made.")],
    name: Annotated[
        str, typer.Option(help="Name of the application: begins the names of its queues and exchanges.")
    ] = "htmengine",
) -> None:
    """Write a commented, working configuration into DIR: conf/, logs/ and data/.

    It runs everything on this machine, without servers; the files say what to change for servers.
    """
    from htmengine import conf

    for path in conf.write(folder, name):
        typer.echo(path)
    directory = folder.absolute() / "conf"
    typer.echo(
        f"Start it: htmengine up --config {directory}\n"
        f"Or its services one by one under supervisord, in {folder.absolute()}: supervisord -c conf/supervisord.conf",
        err=True,
    )
