"""No statement may have SQLite go through all rows of all metrics: with a hundred metrics nobody would see it.

Rows lie in several tables, and are read through a view of them. Beside an outer join, SQLite makes a table of the whole view
before it looks for anything in it. Where it looks for many rows of a table of which a column has one value, it may read the
table for a Bloom filter first.
"""

from sqlalchemy import event
from sqlalchemy.engine import Engine

VIEWS = ("metric_data", "recent_row")
TABLES = ("run_sample", "run_score", "merged_row", "row_block")
_seen = set()


def refuse_to_read_all_rows():
    """Let a statement fail that would have SQLite copy all rows, or make a Bloom filter of them, whoever executes it."""
    event.listen(Engine, "before_cursor_execute", _look)


def _look(conn, cursor, statement, parameters, context, executemany):
    views, tables = ([name for name in names if f"JOIN {name}" in statement] for names in (VIEWS, TABLES))
    is_looked_at = (views and statement.startswith("SELECT")) or (
        tables and not statement.startswith("EXPLAIN")
    )
    if not is_looked_at or conn.dialect.name != "sqlite" or statement in _seen:
        return
    steps = [row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    copied = [f"MATERIALIZE {view}" for view in views]
    wrong = [step for step in steps if step in copied or step.startswith("BLOOM FILTER")]
    assert not wrong, f"{wrong}: all rows would be read for {statement}"
    _seen.add(statement)
