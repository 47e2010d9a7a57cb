"""What a database says of its tables, and what is in them."""

import re

from sqlalchemy import Connection, MetaData, select

from htmengine.repository.database import Database
from htmengine.repository.embedded import tables as embedded


def definitions(database: Database) -> list[str]:
    """Return the columns, keys and indexes in the database's own words, in whatever order they were made.

    Of SQLite's older tables the indexes only: it cannot give a column a default later, and none of the engine's code goes
    without the value.
    """
    runs = ", ".join(f"'{statement.split()[2]}'" for statement in (*embedded.TABLES, *embedded.BLOCKS))
    statement = {
        "sqlite": (
            "SELECT name, replace(replace(sql, char(10), ''), '\"', '') FROM sqlite_schema"
            f" WHERE type IN ('index', 'view', 'trigger') OR name IN ({runs})"
        ),
        "postgresql": (
            "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default"
            " FROM information_schema.columns WHERE table_schema = 'public'"
            " UNION ALL SELECT tablename, indexdef, '', 0, '', '' FROM pg_indexes WHERE schemaname = 'public'"
            " UNION ALL SELECT conname, pg_get_constraintdef(oid), '', 0, '', '' FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace"
            " UNION ALL SELECT relname, reloptions::text, '', 0, '', '' FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND reloptions IS NOT NULL"
        ),
    }
    with database.read() as conn:
        if database.dialect in statement:
            lines = list(map(str, conn.exec_driver_sql(statement[database.dialect])))
        else:
            lines = _of_mysql(conn)
    return sorted(line for line in lines if "alembic_version" not in line)


def _of_mysql(conn: Connection) -> list[str]:
    tables = conn.exec_driver_sql("SHOW TABLES").scalars().all()
    made = [conn.exec_driver_sql(f"SHOW CREATE TABLE `{table}`").one() for table in tables]
    return [
        f"{table}: {re.sub(r' AUTO_INCREMENT=[0-9]+', '', line).rstrip(',')}"
        for table, text in made
        for line in text.splitlines()
    ]


def content(database: Database) -> dict[str, list]:
    """Return the rows of every table."""
    metadata = MetaData()
    with database.read() as conn:
        metadata.reflect(conn)
        return {table.name: sorted(map(str, conn.execute(select(table)))) for table in metadata.sorted_tables}
