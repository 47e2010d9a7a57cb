"""`htmengine export`: a metric's specification and samples, as a file."""

from pathlib import Path
from typing import Annotated

import typer

from htmengine.cli.options import ConfigOption, DataOption


def export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Monitored metric.")],
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", help="File to write. [default: standard output]")
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Write a monitored metric's samples and specification as JSON.

    `htmengine import` takes it into another installation.
    """
    import json
    import os

    from htmengine.cli import monitoring
    from htmengine.cli.session import installation
    from htmengine.cli.terminal import echo_stderr, echo_stdout
    from htmengine.series.writers import replacing

    with installation(config, data) as context:
        text = json.dumps(monitoring.export(context, name), default=str)
    if out is None:
        echo_stdout(text)
        return
    with replacing(out) as path:
        Path(os.fspath(path)).write_text(text + "\n", encoding="utf-8")
    echo_stderr(f"{out}: written.")
