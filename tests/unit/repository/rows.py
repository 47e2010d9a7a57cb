"""Helpers of the repository's tests."""

from sqlalchemy import Connection, Select

from htmengine.repository import metrics, samples, scores

FIRST_SECOND = 1_700_000_000


def add_rows(conn: Connection, uid: str, count: int, *, step_s: int = 60) -> None:
    """Append rows with the values 1.0, 2.0 …, as the storer does."""
    last = metrics.states(conn, [uid])[uid].last_rowid
    rowids = range(last + 1, last + count + 1)
    samples.append(
        conn,
        [uid] * count,
        rowids,
        [FIRST_SECOND + rowid * step_s for rowid in rowids],
        [float(rowid) for rowid in rowids],
    )
    tail = FIRST_SECOND + (last + count) * step_s
    assert samples.advance_last(conn, [samples.Advance(uid, last, last + count, tail)]) == 1


def score_rows(conn: Connection, uid: str, first: int, last: int) -> None:
    """Store scores and move the watermark, as the anomaly service does."""
    rowids = range(first, last + 1)
    raw = [1 / rowid for rowid in rowids]
    count = scores.store(
        conn,
        uids=[uid] * len(rowids),
        rowids=rowids,
        raw_anomaly_scores=raw,
        anomaly_scores=[score / 2 for score in raw],
        log_scores=[score / 3 for score in raw],
        sequence_scores=[score / 5 for score in raw],
        novelty_scores=[score / 7 for score in raw],
    )
    assert count == len(rowids)
    generation = metrics.states(conn, [uid])[uid].generation
    assert scores.advance_watermarks(conn, [(uid, generation, first - 1, last)]) == 1


def plan(conn: Connection, query: Select) -> str:
    """Return how the database would find the rows of a query."""
    statement = query.compile(conn, compile_kwargs={"literal_binds": True})
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql("SET LOCAL enable_seqscan = off")  # which it prefers in small tables
    explain = "EXPLAIN QUERY PLAN" if conn.dialect.name == "sqlite" else "EXPLAIN"
    return "\n".join(str(row) for row in conn.exec_driver_sql(f"{explain} {statement}"))
