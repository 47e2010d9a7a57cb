"""`htmengine unmonitor`: take a metric's model away."""

from typing import Annotated

import typer

from htmengine.cli.options import ConfigOption, DataOption


def unmonitor(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Metric.")],
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Delete a metric's model and its scores; its samples stay.

    New samples are stored on. The rules for new metrics leave it alone from now on.
    """
    from htmengine.cli import monitoring
    from htmengine.cli.session import installation, print_json

    with installation(config, data) as context:
        print_json(monitoring.unmonitor(context, name))
