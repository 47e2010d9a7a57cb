"""`htmengine db`: the repository's schema."""

import typer

from htmengine.cli.commands import Commands
from htmengine.cli.options import ConfigOption, DataOption

database = typer.Typer(cls=Commands, no_args_is_help=True, help="The repository's schema.")


@database.callback()
def _database() -> None:
    """The repository's schema."""


@database.command()
def upgrade(data: DataOption = None, config: ConfigOption = None) -> None:
    """Create the repository's tables, or bring them to the newest schema; safe to repeat.

    A database of the original engine is upgraded too: its metrics and samples stay as they are.
    An embedded repository is upgraded by itself whenever an engine starts.
    """
    from htmengine.cli.session import advise, print_json
    from htmengine.repository.engine import open_engine, reading
    from htmengine.repository.migrations import installed_shards
    from htmengine.repository.migrations import upgrade as bring_up
    from htmengine.runtime import process

    settings = process.settings_for(config, data)
    engine = open_engine(settings.repository)
    try:
        bring_up(engine, settings.shards)
        with reading(engine) as conn:
            shards = installed_shards(conn)
    finally:
        engine.dispose()
    advise("The schema is the newest.")
    print_json({"upgraded": True, "shards": shards})
