"""`htmengine teach`: tell a metric's model what is normal, and take it back."""

from typing import Annotated

import typer

from htmengine.cli.group import Group
from htmengine.cli.options import ConfigOption, DataOption, FromOption, JsonOption, NoteOption, ToOption

teach = Group(help="Tell a metric's model what is normal, and take it back.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="A metric.")]
How = Annotated[
    str,
    typer.Option(
        metavar="HOW",
        help="values: such values are usual; times: in these hours of the week alarms need more; "
        "forget: the model has not seen the span.",
    ),
]
Expires = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="It counts for samples before this time. [default: for 90 days]"),
]
Anomaly = Annotated[bool, typer.Option("--anomaly", help="The span was an anomaly, to be forgotten.")]


@teach.command()
def preview(
    name: Name,
    begins: FromOption,
    ends: ToOption,
    how: How,
    anomaly: Anomaly = False,
    json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Say which alarms it would have silenced, had it counted from the span on. Nothing is stored."""
    from htmengine.cli import teach as work
    from htmengine.cli.session import installation

    with installation(config, data) as context:
        work.preview(context, name, begins=begins, ends=ends, how=how, anomaly=anomaly, json=json)


@teach.command()
def normal(
    name: Name,
    begins: FromOption,
    ends: ToOption,
    how: How,
    note: NoteOption = "",
    expires: Expires = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Teach that a span is normal. It counts from the metric's next sample on."""
    from htmengine.cli import teach as work
    from htmengine.cli.session import installation

    with installation(config, data) as context:
        work.teach(
            context, name, begins=begins, ends=ends, how=how, kind="normal", note=note, expires=expires
        )


@teach.command()
def anomaly(
    name: Name,
    begins: FromOption,
    ends: ToOption,
    note: NoteOption = "",
    expires: Expires = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Teach that a span was an anomaly: the model forgets it, and back-tests count it as one."""
    from htmengine.cli import teach as work
    from htmengine.cli.session import installation

    with installation(config, data) as context:
        work.teach(
            context, name, begins=begins, ends=ends, how="forget", kind="anomaly", note=note, expires=expires
        )


@teach.command("list")
def list_(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="What this metric was taught. [default: all]")
    ] = None,
    json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """List what models were taught, also what was taken back, and how many alarms each has silenced."""
    from htmengine.cli import teach as work
    from htmengine.cli.session import installation

    with installation(config, data) as context:
        work.show(context, name, json=json)


@teach.command()
def past(
    name: Name,
    json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Say which alarms would not have been, had all that it was taught counted from its span on. Nothing is stored."""
    from htmengine.cli import teach as work
    from htmengine.cli.session import installation

    with installation(config, data) as context:
        work.past(context, name, json=json)


@teach.command()
def undo(
    id_: Annotated[str, typer.Argument(metavar="ID", help="As `htmengine teach list` shows it.")],
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Take back what a model was taught. From the metric's next sample on it scores as if it had never been."""
    from htmengine.cli import teach as work
    from htmengine.cli.session import installation

    with installation(config, data) as context:
        work.undo(context, id_)
