"""Merging: rows of runs that are full are brought into the order of metric and rowid, a few metrics at a time."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, Row

from htmengine.repository.embedded import compaction
from htmengine.repository.embedded.tables import SCORES

RUNS_TO_MERGE: Final = 8
"""So many full runs are merged at once: a page is written for as many rows of a metric as they have."""

_RUNS: Final = "run IN (SELECT id FROM sample_run WHERE id <= :run)"


def is_due(conn: Connection) -> bool:
    """Tell whether there is something to merge. Always false on servers, where rows are in one table."""
    if conn.dialect.name != "sqlite":
        return False
    runs = conn.exec_driver_sql("SELECT count(*) FROM sample_run").scalar_one()
    return runs > RUNS_TO_MERGE or conn.exec_driver_sql("SELECT 1 FROM run_merge").first() is not None


def merge(conn: Connection, rows: int) -> int:
    """Merge about so many rows, or those that are left of the full runs; return how many there were.

    Each row is in one place in every transaction. Rows without scores are merged, too, and get theirs where they are.
    """
    state = _state(conn)
    if state is None:
        return 0
    last, first = state
    metrics = conn.exec_driver_sql("SELECT max(id) FROM metric_number").scalar() or 0
    full = conn.exec_driver_sql("SELECT sum(rows) FROM sample_run WHERE id <= ?", (last,)).scalar() or 0
    end = min(first + max(1, rows * metrics // max(full, 1)), metrics + 1)
    part = {"run": last, "first": first, "end": end, "rowid": 1 << 62}
    while (found := _count(conn, part)) > 2 * rows and part["end"] > first + 1:
        part["end"] = first + (part["end"] - first) // 2
    if found > 2 * rows:  # of one metric: as many as wanted, the oldest first
        part["rowid"] = _rowid(conn, part, rows)
        found = _count(conn, part)
        part["end"], beyond = first + 1, first
    else:
        beyond = part["end"]
    conn.exec_driver_sql(_INSERT, part)
    for table in ("run_score", "run_sample"):
        conn.exec_driver_sql(f"DELETE FROM {table} WHERE {_RUNS} AND {_PART}", part)
    if beyond > metrics:
        conn.exec_driver_sql("DELETE FROM sample_run WHERE id <= ?", (last,))
        conn.exec_driver_sql("DELETE FROM run_merge")
        compaction.begin(conn)
    else:
        conn.exec_driver_sql("UPDATE run_merge SET next_metric = ?", (beyond,))
    return found


_PART: Final = "metric >= :first AND metric < :end AND rowid <= :rowid"
_SAMPLES: Final = (
    "sample_run AS run CROSS JOIN run_sample AS sample ON sample.run = run.id AND run.id <= :run"
    " AND sample.metric >= :first AND sample.metric < :end AND sample.rowid <= :rowid"
)
_INSERT: Final = (
    "INSERT OR IGNORE INTO merged_row SELECT sample.metric, sample.rowid, sample.time, sample.value, sample.digest,"
    f" {', '.join(f'score.{name}' for name in SCORES)} FROM {_SAMPLES} LEFT JOIN run_score AS score"
    " ON score.run = sample.run AND score.metric = sample.metric AND score.rowid = sample.rowid"
    " ORDER BY sample.metric, sample.rowid"
)


def _state(conn: Connection) -> tuple[int, int] | None:
    """Return the last run that is merged and the metric to go on with; None if nothing is to be merged."""
    found: Row[tuple[int, int]] | None = conn.exec_driver_sql(
        "SELECT last_run, next_metric FROM run_merge"
    ).first()
    if found is not None:
        return found.last_run, found.next_metric
    full = conn.exec_driver_sql("SELECT id FROM sample_run ORDER BY id DESC LIMIT -1 OFFSET 1").all()
    if len(full) < RUNS_TO_MERGE:
        return None
    conn.exec_driver_sql("INSERT INTO run_merge (last_run, next_metric) VALUES (?, 1)", (full[0].id,))
    return full[0].id, 1


def _count(conn: Connection, part: dict[str, int]) -> int:
    return int(conn.exec_driver_sql(f"SELECT count(*) FROM {_SAMPLES}", part).scalar_one())


def _rowid(conn: Connection, part: dict[str, int], rows: int) -> int:
    """Return the highest rowid among the first so many rows."""
    query = f"SELECT sample.rowid FROM {_SAMPLES} ORDER BY sample.rowid LIMIT 1 OFFSET {rows - 1:d}"
    return int(conn.exec_driver_sql(query, part).scalar_one())
