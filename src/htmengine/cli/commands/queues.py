"""`htmengine queues`: among how many metric-data queues samples are divided."""

from typing import Annotated

import typer

from htmengine.cli.options import ConfigOption, DataOption


def queues(
    number: Annotated[
        int | None, typer.Argument(help="Divide them among so many from now on, 1 to 64.", show_default=False)
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Show or change among how many queues samples are divided.

    That is done by their names, so that as many storers can work. Everything may run meanwhile: samples go into new queues,
    and storers turn to these when those of before are empty.
    """
    from htmengine.admin.data_queues import divide
    from htmengine.cli.session import installation, print_json
    from htmengine.cli.terminal import echo_stderr
    from htmengine.repository import queue_layout

    with installation(config, data) as context:
        if number is None:
            with context.database.read() as conn:
                layout = queue_layout.read(conn)
        else:
            layout = divide(context, number)
    if layout.draining:
        echo_stderr("What waits in the queues of before is stored first, as soon as a storer runs.")
    document = {"queues": layout.number}
    print_json(document | {"before": layout.before} if layout.draining else document)
