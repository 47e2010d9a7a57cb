"""`htmengine db`: the repository's schema."""

from typing import Annotated, Final

import typer

from htmengine.cli.group import Group
from htmengine.cli.options import ConfigOption, DataOption

UNDONE_BATCH_SIZE: Final = 4
"""So many blocks of rows become plain rows in a transaction."""

database = Group(help="The repository's schema.")


@database.callback()
def _database() -> None:
    """The repository's schema."""


@database.command()
def upgrade(data: DataOption = None, config: ConfigOption = None) -> None:
    """Bring the repository's tables to the newest schema.

    Tables that are not there are made; it is safe to repeat. A database of the original engine is upgraded too: its metrics and samples stay as they are.
    An embedded repository is upgraded by itself whenever an engine starts.
    """
    from htmengine.cli.session import print_json
    from htmengine.cli.terminal import echo_stderr
    from htmengine.repository.migrations import installed_shards
    from htmengine.repository.migrations import upgrade as bring_up
    from htmengine.repository.opening import open_database
    from htmengine.service.context import settings_for

    settings = settings_for(config, data)
    database = open_database(settings.repository)
    try:
        bring_up(database, settings.shards)
        with database.read() as conn:
            shards = installed_shards(conn)
    finally:
        database.close()
    echo_stderr("The schema is the newest.")
    print_json({"upgraded": True, "shards": shards})


@database.command()
def create(data: DataOption = None, config: ConfigOption = None) -> None:
    """Make the database and its tables, where there are none.

    It is safe to repeat. An embedded repository is made by itself whenever an engine starts.
    """
    from htmengine.admin.reset import create as create_database
    from htmengine.cli.terminal import echo_stderr
    from htmengine.service.context import settings_for

    create_database(settings_for(config, data))
    echo_stderr("The database is there, with the newest schema.")


@database.command()
def compress(
    undo: Annotated[
        bool, typer.Option("--undo", help="Compress no more rows, and make plain rows of those that are.")
    ] = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Compress older rows of an embedded repository.

    They take a fifth of the room then. It is said once; the storer does it beside other work, and needs no new start. Clients
    of SQLite other than ours do not read `metric_data` any more: docs/reference/tables.md.
    """
    from htmengine.cli.session import installation
    from htmengine.cli.terminal import echo_stderr
    from htmengine.errors import MisuseError
    from htmengine.repository.embedded import compaction

    with installation(config, data) as context:
        if context.database.dialect != "sqlite":
            raise MisuseError(
                "The rows of this installation are on a server, which keeps them as they are.",
                hint="Only those of an embedded repository are compressed.",
            )
        if context.settings.storer.compress_rows is not None:
            raise MisuseError(
                "application.conf: [engine] compress_rows says whether rows are compressed.",
                hint="Change it there and start the engine again, or take it out.",
            )
        with context.database.write() as conn:
            compaction.want(conn, not undo)
        is_left = undo
        while is_left:  # so few at a time that others do not wait
            with context.database.write() as conn:
                is_left = compaction.undo(conn, UNDONE_BATCH_SIZE)
    echo_stderr("No rows are compressed." if undo else "Rows older than a day are compressed from now on.")


@database.command()
def reset(
    data: DataOption = None,
    config: ConfigOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete all metrics, samples, models and waiting messages.

    The tables are made anew. Stop every service first.
    """
    from htmengine.admin.reset import reset as reset_everything
    from htmengine.cli.terminal import echo_stderr
    from htmengine.service.context import settings_for

    settings = settings_for(config, data)
    if not yes:
        typer.confirm(f"Delete everything in {settings.repository!r} and in the engine's queues?", abort=True)
    reset_everything(settings)
    echo_stderr("Everything is as before the first start.")
