"""`htmengine capacity`: how many metrics this machine can watch."""

from typing import Annotated

import typer

from htmengine.cli.options import ConfigOption, DataOption, JsonOption


def capacity(
    seconds: Annotated[
        float, typer.Option("--seconds", min=5.0, max=3600.0, help="How long to measure.")
    ] = 60.0,
    json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Measure this machine, and say how many metrics it can watch.

    For a minute an engine of its own scores samples, those of your metrics where there are some, through all services and on the disk of the data folder. Says how many metrics at which interval can be promised, for how many days of history, and what the limit is.
    """
    from htmengine.admin.capacity import measure
    from htmengine.cli.capacity import document, print_capacity
    from htmengine.cli.progress import counting_bar
    from htmengine.cli.session import new_or_existing, print_json
    from htmengine.service.capacity import store

    with new_or_existing(config, data) as context, counting_bar() as show:
        measured = measure(context, seconds=seconds, show=show)
        store(context.settings, measured)
    if json:
        print_json(document(measured))
    else:
        print_capacity(measured, context.settings.scheduler.resident_bytes)
