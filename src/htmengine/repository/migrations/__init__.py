"""Creates the tables, and brings those of older versions up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, select

from htmengine.repository import queue_layout, schema
from htmengine.repository.database import Database
from htmengine.repository.errors import RepositoryError
from htmengine.repository.locks import lock_metrics, lock_tables

NEWEST: Final = "5e0d93b7a41c"
"""Revision of the tables that this version works with."""
DOCUMENTED: Final = ("57ab75d58038", "1d2eddc43366", "872a895b8e8", "315d6ad6c19f")
"""Revisions of the documented schema, oldest first; the last one adds the column for predictions."""
FIRST_WITH_RUNS: Final = "9b3e5d41f7a2"
"""Revision from which on `metric_data` is a view in SQLite."""
FIRST_WITH_BLOCKS: Final = "c41f7a90d2e6"
"""Revision from which on it shows blocks, too."""

_SHARDS: Final = "shards"

_version: Final = Table(
    "alembic_version", MetaData(), Column("version_num", String(32), primary_key=True, nullable=False)
)


def upgrade(database: Database, shards: int) -> None:
    """Create or upgrade the tables, in one transaction where the database can; safe to repeat.

    Takes a database without tables, one with the documented schema at any of its revisions or without a revision, and
    one of an earlier version of the engine. `shards` is fixed when it is called for the first time.

    Raises
    ------
    RepositoryError : the tables are of a newer version than this one, or the database cannot be written.
    RepositoryUnavailable : the database is unavailable.
    """
    with database.write() as conn:
        lock_tables(conn)
        found = revision(conn)
        # Which is made after the metrics'.
        if found is None and not inspect(conn).has_table(schema.metric_data.name):
            schema.metadata.create_all(conn)
            _version.create(conn, checkfirst=True)
            conn.execute(insert(_version).values(version_num=NEWEST))
        elif found != NEWEST:
            _migrate(conn, found, database.place)
        lock_metrics(conn)
        if installed_shards(conn) is None:
            conn.execute(insert(schema.installation).values(name=_SHARDS, setting=str(shards)))
            conn.execute(
                insert(schema.shard_owner), [{"shard": shard, "epoch": 0} for shard in range(shards)]
            )
        queue_layout.make(conn)


def is_current(database: Database) -> bool:
    """Return whether the tables are those of this version."""
    with database.read() as conn:
        return revision(conn) == NEWEST


def installed_shards(conn: Connection) -> int | None:
    """Return the number of shards that was fixed when the tables were made; None if it was not yet."""
    query = select(schema.installation.c.setting).where(schema.installation.c.name == _SHARDS)
    setting = conn.execute(query).scalar()
    return None if setting is None else int(setting)


def revision(conn: Connection) -> str | None:
    """Return the revision that the database says it has; None if it says nothing."""
    if not inspect(conn).has_table(_version.name):
        return None
    return conn.execute(select(_version.c.version_num)).scalar()


def _migrate(conn: Connection, found: str | None, where: str) -> None:
    from alembic import command  # here, since it takes long to import and is needed once
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    settings.attributes["connection"] = conn
    if found is None and schema.metric_data.name in inspect(conn).get_view_names():
        # Made by an application from the tables of `schema`.
        has_blocks = inspect(conn).has_table("row_block")
        command.stamp(settings, FIRST_WITH_BLOCKS if has_blocks else FIRST_WITH_RUNS)
    elif found is None:
        # Made from the documented statements, or by an application from the tables of `schema`. The newest documented
        # revision adds one column; what comes after it adds only what is not there.
        columns = {column["name"] for column in inspect(conn).get_columns(schema.metric_data.name)}
        command.stamp(settings, DOCUMENTED[-1 if "multi_step_best_predictions" in columns else -2])
    elif found not in {script.revision for script in ScriptDirectory.from_config(settings).walk_revisions()}:
        raise RepositoryError(
            f"{where}: its tables have revision {found}, which this version of htmengine does not know; it is of a newer"
            f" version.",
            hint="Install the version of htmengine that upgraded these tables, or a later one.",
        )
    command.upgrade(settings, "head")
