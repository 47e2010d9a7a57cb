"""No statement may have SQLite copy all rows of all metrics: with a hundred metrics nobody would see it.

Rows lie in several tables, and are read through a view of them. Beside an outer join, SQLite makes a table of the whole view
before it looks for anything in it.
"""

from sqlalchemy import event
from sqlalchemy.engine import Engine

VIEWS = ("metric_data", "recent_row")
_seen = set()


def refuse_copies_of_all_rows():
    """Let a statement fail that would have SQLite copy all rows, whoever executes it."""
    event.listen(Engine, "before_cursor_execute", _look)


def _look(conn, cursor, statement, parameters, context, executemany):
    views = [view for view in VIEWS if f"JOIN {view}" in statement]
    is_looked_at = views and statement.startswith("SELECT") and conn.dialect.name == "sqlite"
    if not is_looked_at or statement in _seen:
        return
    steps = [row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    copies = [view for view in views if f"MATERIALIZE {view}" in steps]
    assert not copies, f"{copies}: all rows would be copied for {statement}"
    _seen.add(statement)
