"""`htmengine labels`: what people say of metrics at a time."""

from pathlib import Path
from typing import Annotated

import typer

from htmengine.cli.group import Group
from htmengine.cli.options import ConfigOption, DataOption, FromOption, JsonOption, NoteOption, ToOption

labels = Group(help="List and change what people say of metrics at a time.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="A metric, or a pattern of names: 'web.*'.")]


@labels.command("list")
def list_(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Those of this metric. [default: all]")
    ] = None,
    json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """List labels and verdicts of incidents, by the times at which they begin."""
    from htmengine.cli import labels as work
    from htmengine.cli.session import installation

    with installation(config, data) as context:
        work.show(context, name, json=json)


@labels.command()
def add(
    name: Name,
    begins: FromOption,
    ends: ToOption,
    kind: Annotated[str, typer.Option(metavar="KIND", help="normal, anomaly, or ignore.")],
    note: NoteOption = "",
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it goes by itself. [default: never]")
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Label a metric, or all whose names fit a pattern. It is kept and exported, and changes no score."""
    from htmengine.cli import labels as work
    from htmengine.cli.session import installation

    with installation(config, data) as context:
        work.add(context, name, begins=begins, ends=ends, kind=kind, note=note, expires=expires)


@labels.command()
def remove(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="As `htmengine labels list` shows them.")],
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Remove labels. A verdict is changed with its incident."""
    from htmengine.cli import labels as work
    from htmengine.cli.session import installation

    with installation(config, data) as context:
        work.remove(context, ids)


@labels.command("import")
def import_(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", exists=True, dir_okay=False, allow_dash=True, help="`-`: standard input."
        ),
    ],
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Take labels from a CSV, or from windows as the Numenta Anomaly Benchmark has them.

    What a file has that cannot be used is told, and the rest is taken. To import a file again adds nothing.
    """
    from htmengine.cli import labels as work
    from htmengine.cli.session import installation

    with installation(config, data) as context:
        work.import_(context, path)


@labels.command()
def export(
    windows: Annotated[
        bool,
        typer.Option(
            "--windows", help="The anomalies as windows, as the Numenta Anomaly Benchmark has them."
        ),
    ] = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Write labels and verdicts to standard output as a CSV, which `import` takes."""
    from htmengine.cli import labels as work
    from htmengine.cli.session import installation

    with installation(config, data) as context:
        work.export(context, windows=windows)
