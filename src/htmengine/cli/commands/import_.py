"""`htmengine import`: a metric from what `htmengine export` wrote."""

from typing import Annotated

import typer

from htmengine.cli.options import ConfigOption, DataOption, input_text


def import_(
    file: Annotated[
        str, typer.Argument(metavar="FILE.json", help="What `export` wrote; `-`: standard input.")
    ],
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Create and monitor a metric from what `export` wrote.

    Its model learns from the samples.
    """
    from htmengine.cli import monitoring
    from htmengine.cli.session import installation, print_json

    text = input_text(file)
    with installation(config, data) as context:
        print_json(monitoring.import_(context, text, file))
