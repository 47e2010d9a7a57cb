"""`htmengine export`: a metric for another installation, or its rows with their scores, as a file."""

from pathlib import Path
from typing import Annotated

import typer

from htmengine.cli.options import ConfigOption, DataOption


def export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Metric.")],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="File to write. A name in .csv, .jsonl or .parquet: rows with their scores. [default: standard output]",
        ),
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Write a monitored metric as JSON, or any metric's rows.

    `htmengine import` takes the JSON into another installation. Rows are written as by `htmengine detect --out`: with
    scores, forecast and usual band, as far as there are such.
    """
    import json
    import os

    from htmengine import readable
    from htmengine.cli import monitoring
    from htmengine.cli.session import installation
    from htmengine.cli.terminal import echo_stderr, echo_stdout
    from htmengine.series.writers import ENDINGS, replacing

    if out is not None and out.suffix.lower() in ENDINGS:
        with installation(config, data) as context:
            rows = monitoring.export_rows(context, name, out)
        echo_stderr(f"{out}: {readable.counted(rows, 'row')} written.")
        return
    with installation(config, data) as context:
        text = json.dumps(monitoring.export(context, name), default=str)
    if out is None:
        echo_stdout(text)
        return
    with replacing(out) as path:
        Path(os.fspath(path)).write_text(text + "\n", encoding="utf-8")
    echo_stderr(f"{out}: written.")
