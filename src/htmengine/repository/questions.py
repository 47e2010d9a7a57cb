"""Questions in SQL that a person asks of a repository in a SQLite file. Compressed rows are read, nothing is changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from htmengine.errors import ExplainedError, MisuseError
from htmengine.repository.embedded import functions

BUSY_TIMEOUT_S: Final = 5.0
STEPS_BETWEEN_SIGNALS: Final = 100_000
"""Of SQLite's machine: so often Python may look whether the user has had enough."""

_TABLES: Final = (
    "The tables and their columns: docs/reference/tables.md, or `SELECT name, sql FROM sqlite_schema`."
)
_HINTS: Final = (
    (
        "readonly",
        "This command only reads. `htmengine monitor`, `unmonitor`, `delete` and `teach` change things.",
    ),
    ("one statement at a time", "Give one statement; of several, each by itself."),
    ("locked", "Try again in a moment."),
)
"""What helps against an error that has these words."""


class Answer(NamedTuple):
    """What a statement gives."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]
    """As SQLite has them: None, int, float, str or bytes. Raises what `asked` raises."""


@contextmanager
def asked(path: Path, statement: str) -> Iterator[Answer]:
    """Execute a statement on a repository's file, whether its engine runs or not.

    Raises
    ------
    MisuseError : it is none, or none of this database, or it would change something.
    ExplainedError : the file cannot be read.
    KeyboardInterrupt : the user did not want to wait for it any more.
    """
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)
    except sqlite3.Error as error:
        raise ExplainedError(
            f"{path}: cannot be read: {error}.",
            hint="Run this as a user who may read and write the data folder.",
        ) from error
    with closing(connection):
        functions.register(connection)
        connection.execute("PRAGMA query_only = ON")
        # Signals come when Python runs, which it does not inside of SQLite.
        connection.set_progress_handler(lambda: 0, STEPS_BETWEEN_SIGNALS)
        with _explained():
            cursor = connection.execute(statement)
        yield Answer(tuple(column[0] for column in cursor.description or ()), _rows(cursor))


def _rows(cursor: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
    with _explained():
        yield from cursor


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning) as error:
        if str(error) == "interrupted":
            raise KeyboardInterrupt from error
        hint = next((hint for words, hint in _HINTS if words in str(error)), _TABLES)
        raise MisuseError(f"SQL: {error}.", hint=hint) from error
