"""`htmengine up`: the whole engine in one process."""

from typing import Annotated

import typer

from htmengine.cli.options import ConfigOption, DataOption


def up(
    data: DataOption = None,
    config: ConfigOption = None,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Address to listen on. [default: 127.0.0.1, or the configuration's]"
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, metavar="PORT", help="Port of the plaintext protocol. [default: 2003]"
        ),
    ] = None,
    http_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="PORT",
            help="Port of the page and the HTTP API; 0: none. [default: 2080]",
        ),
    ] = None,
    http_host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Address that they are served on; another than this machine's own needs a token: "
            "htmengine tokens create. [default: 127.0.0.1, or the configuration's]",
        ),
    ] = None,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo", help="Make metrics of a small fleet, with anomalies now and then, and show them."
        ),
    ] = False,
    own_load: Annotated[
        bool,
        typer.Option(
            "--self",
            help="Take this machine's own load as metrics: processors, memory, disks, network, every 10 s.",
        ),
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option(min=1.0, metavar="SECONDS", help="Stop by itself after so long. [default: never]"),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what the services do.")] = False,
) -> None:
    """Run the whole engine in this process.

    Everything is kept in one folder, and nothing else has to be installed. It stops in good order on Ctrl-C or SIGTERM, and survives a kill -9: start it again, and nothing is lost.
    """
    from htmengine.cli.up import running

    running.run(
        running.Request(
            data=data,
            config=config,
            host=host,
            port=port,
            http_host=http_host,
            http_port=http_port,
            demo=demo,
            own_load=own_load,
            seconds=seconds,
            verbose=verbose,
        )
    )
