"""Helpers of the repository's tests."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Engine, Select, event

from htmengine.repository import alarms, metrics, samples, schema, scores
from htmengine.repository.database import Database

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


def add_scored(
    conn: Connection,
    uid: str,
    times: Sequence[int],
    values: Sequence[float],
    log_scores: Sequence[float],
    *,
    forecasts: Sequence[float] | None = None,
) -> None:
    """Append rows with these values and scores, as storer and anomaly service do; those that alarm are stored as such."""
    before = metrics.states(conn, [uid])[uid]
    last, count = before.last_rowid, len(times)
    rowids, uids = range(last + 1, last + count + 1), [uid] * count
    assert samples.advance_last(conn, [samples.Advance(uid, last, last + count, times[-1])]) == 1
    samples.append(conn, uids, rowids, times, values)
    assert scores.advance_watermarks(conn, [(uid, before.generation, last, last + count)]) == 1
    scores.store(
        conn,
        uids=uids,
        rowids=rowids,
        raw_anomaly_scores=log_scores,
        anomaly_scores=[max(0.0, 1.0000000001 - 10.0 ** (-10.0 * score)) for score in log_scores],
        log_scores=log_scores,
        sequence_scores=log_scores,
        novelty_scores=log_scores,
        forecasts=forecasts,
        usual_lows=forecasts,
        usual_highs=forecasts,
    )
    rows = zip(uids, rowids, times, values, log_scores, strict=True)
    alarms.store(conn, [alarms.NewAlarm(*row) for row in rows if row[-1] >= schema.ALARM_LOG_SCORE])


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


class _RollBack(Exception):
    pass


@contextmanager
def rolled_back(database: Database) -> Iterator[Connection]:
    """Give a connection in a transaction that writes, and undo it."""
    with suppress(_RollBack), database.write() as conn:
        yield conn
        raise _RollBack


@contextmanager
def executed(by: Connection | Engine) -> Iterator[list[tuple[str, tuple]]]:
    """Give the statements that a connection executes meanwhile, or all of an engine's, with their parameters."""
    found = []

    def note(conn, cursor, statement, parameters, context, executemany):
        found.append((statement, parameters))

    event.listen(by, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(by, "before_cursor_execute", note)


@contextmanager
def explained(database: Database) -> Iterator[Callable[[], list[str]]]:
    """Give what returns how a SQLite file found the rows of each statement that is executed meanwhile."""
    with executed(database.engine) as read, executed(database._writer) as written:

        def plans() -> list[str]:
            with database.read() as conn:
                return [
                    str(conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", _first(parameters)).all())
                    for statement, parameters in [*read, *written]
                    if statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))
                ]

        yield plans


def _first(parameters: Any) -> Any:
    """Return the parameters of a statement, or of many those of the first."""
    return parameters[0] if isinstance(parameters, list) else parameters


def plan(conn: Connection, query: Select) -> str:
    """Return how the database would find the rows of a query."""
    statement = query.compile(conn, compile_kwargs={"literal_binds": True})
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql("SET LOCAL enable_seqscan = off")  # which it prefers in small tables
    explain = "EXPLAIN QUERY PLAN" if conn.dialect.name == "sqlite" else "EXPLAIN"
    return "\n".join(str(row) for row in conn.exec_driver_sql(f"{explain} {statement}"))
