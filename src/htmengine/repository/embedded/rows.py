"""Rows appended to runs, and scores beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np
from sqlalchemy import Connection

from htmengine.repository.chunks import in_chunks, in_statements
from htmengine.repository.embedded import compaction
from htmengine.repository.embedded.blocks import Block

ROWS_OF_METRIC: Final = 4
"""Rows that a run has of each metric, if all come equally often. A page is then shared by a dozen of metrics."""
MIN_RUN_ROWS: Final = 1000
ROWS_IN_STATEMENT: Final = 512
MERGED: Final = 0
"""Stands for the rows that were merged, where a run is named."""


def append(
    conn: Connection,
    uids: Sequence[str],
    rowids: Sequence[int],
    timestamps: Sequence[int],
    values: Sequence[float],
    digests: Sequence[int | None],
) -> None:
    """Append rows to the newest run, or begin another. Parameters and errors as of `samples.append`."""
    if len({len(uids), len(rowids), len(timestamps), len(values), len(digests)}) > 1:
        raise ValueError(f"columns of {len(uids)}, {len(rowids)}, {len(timestamps)} and {len(values)} rows")
    if not uids:
        return
    run = _run(conn)
    conn.exec_driver_sql("UPDATE sample_run SET rows = rows + ? WHERE id = ?", (len(uids), run))
    for count, parameters in in_statements(
        [uids, rowids, timestamps, values, digests], ROWS_IN_STATEMENT, again=True
    ):
        given = ", ".join(["(?, ?, ?, ?, ?)"] * count)
        # A metric that is not there has no number, which the table refuses.
        conn.exec_driver_sql(
            "INSERT INTO run_sample (run, metric, rowid, time, value, digest)"
            f" SELECT ?, number.id, column2, column3, column4, column5 FROM (VALUES {given})"
            " LEFT JOIN metric_number AS number ON number.uid = column1",
            (run, *parameters),
        )


def store_scores(
    conn: Connection,
    uids: Sequence[str],
    rowids: Sequence[int],
    digests: Sequence[int] | None,
    columns: Mapping[str, Sequence[Any]],
) -> int:
    """Store columns of SCORES beside rows; return how many of the rows are there, and have these digests if any are given.

    Columns that are not given stay as they are.
    """
    given = [uids, rowids, uids if digests is None else digests, *columns.values()]
    is_same = "" if digests is None else " AND ifnull(sample.digest, 0) = column3"
    same = is_same.replace("sample", "merged_row").replace("column", "given.column")
    names = ", ".join(columns)
    sources = ", ".join(f"column{place}" for place in range(4, 4 + len(columns)))
    excluded = ", ".join(f"{name} = excluded.{name}" for name in columns)
    own = ", ".join(f"{name} = given.column{place}" for place, name in enumerate(columns, 4))
    row = f"({', '.join('?' * len(given))})"
    places: list[int] = [run for (run,) in conn.exec_driver_sql("SELECT id FROM sample_run ORDER BY id DESC")]
    places.append(MERGED)
    found = at = 0
    for count, parameters in in_statements(given, ROWS_IN_STATEMENT, again=True):
        values = ", ".join([row] * count)
        merged = (
            f"UPDATE merged_row SET {own} FROM (VALUES {values}) AS given"
            " JOIN metric_number AS number ON number.uid = given.column1"
            f" WHERE merged_row.metric = number.id AND merged_row.rowid = given.column2{same}"
        )
        missing, of_merged = count, 0
        ends = {(uids[place], rowids[place]): None for place in (at, at + count - 1)}
        for place in _likely_first(conn, places, list(ends)):
            if place == MERGED:
                of_merged = done = conn.exec_driver_sql(merged, parameters).rowcount
            else:
                done = conn.exec_driver_sql(
                    f"INSERT INTO run_score (run, metric, rowid, {names})"
                    f" SELECT sample.run, sample.metric, sample.rowid, {sources}"
                    # Compared with a constant, SQLite would read the whole run for a Bloom filter in each large statement.
                    f" FROM (VALUES {values}) CROSS JOIN (SELECT ? AS run) AS wanted"
                    " CROSS JOIN metric_number AS number ON number.uid = column1 CROSS JOIN run_sample AS sample ON"
                    f" sample.run = wanted.run AND sample.metric = number.id AND sample.rowid = column2{is_same}"
                    f" WHERE true ON CONFLICT (run, metric, rowid) DO UPDATE SET {excluded}",
                    (*parameters, place),
                ).rowcount
            missing -= done
            if not missing:
                break
        if missing and _spread(conn, values, parameters):
            missing -= conn.exec_driver_sql(merged, parameters).rowcount - of_merged
        found += count - missing
        at += count
    return found


def _spread(conn: Connection, values: str, parameters: Sequence[Any]) -> bool:
    """Bring blocks that have some of these rows back into rows; return whether there are any.

    They are few: where people teach, or an application writes scores itself.
    """
    having = (
        f"id IN (SELECT other.id FROM (VALUES {values}) AS given JOIN metric_number AS number"
        " ON number.uid = given.column1 JOIN row_block AS other ON other.metric = number.id"
        " AND given.column2 BETWEEN other.first AND other.last)"
    )
    return compaction.spread(conn, having, parameters)


def _likely_first(conn: Connection, places: Sequence[int], rows: Sequence[tuple[str, int]]) -> list[int]:
    """Return runs, and MERGED, beginning with those where these rows are: their neighbours came with them."""
    given = ", ".join(["(?, ?)"] * len(rows))
    likely = {
        run
        for (run,) in conn.exec_driver_sql(
            f"SELECT run.id FROM (VALUES {given}) CROSS JOIN metric_number AS number ON number.uid = column1"
            " CROSS JOIN sample_run AS run CROSS JOIN run_sample AS sample"
            " ON sample.run = run.id AND sample.metric = number.id AND sample.rowid = column2",
            tuple(chain.from_iterable(rows)),
        )
    }
    if len(likely) < len(rows):
        likely.add(MERGED)
    return sorted(places, key=lambda place: place not in likely)


def read_spans(conn: Connection, spans: Mapping[str, tuple[int, int]]) -> Iterator[Sequence[Any]]:
    """Yield uid, rowid, timestamp, value and digest of rows, by uid those between two rowids; see `samples.read_spans`."""
    firsts, lasts = zip(*spans.values(), strict=True) if spans else ((), ())
    for count, parameters in in_statements([list(spans), firsts, lasts], ROWS_IN_STATEMENT, again=True):
        given = f"(VALUES {', '.join(['(?, ?, ?)'] * count)}) CROSS JOIN metric_number AS number ON number.uid = column1"
        found = "SELECT column1, sample.rowid, sample.time, sample.value, ifnull(sample.digest, 0)"
        own = "sample.metric = number.id AND sample.rowid BETWEEN column2 AND column3"
        yield from conn.exec_driver_sql(
            f"{found} FROM {given} CROSS JOIN merged_row AS sample ON {own} UNION ALL"
            f" {found} FROM {given} CROSS JOIN sample_run AS run"
            f" CROSS JOIN run_sample AS sample ON sample.run = run.id AND {own} ORDER BY 1, 2",
            parameters * 2,
        )


def remove(conn: Connection, uid: str, first: int, last: int) -> None:
    """Delete the rows of a metric from one rowid to another; blocks of which all rows go are not opened."""
    metric = conn.exec_driver_sql("SELECT id FROM metric_number WHERE uid = ?", (uid,)).scalar()
    span = (metric, first, last)
    conn.exec_driver_sql("DELETE FROM row_block WHERE metric = ? AND first >= ? AND last <= ?", span)
    compaction.spread(conn, "metric = ? AND last >= ? AND first <= ?", span)
    rows = "metric = ? AND rowid BETWEEN ? AND ?"
    for table in ("run_score", "run_sample"):
        conn.exec_driver_sql(f"DELETE FROM {table} WHERE run IN (SELECT id FROM sample_run) AND {rows}", span)
    conn.exec_driver_sql(f"DELETE FROM merged_row WHERE {rows}", span)


class Places(NamedTuple):
    """Where the rows of a metric lie: rowids, None where none are there."""

    first_in_blocks: int | None
    last_in_blocks: int | None
    first_merged: int | None
    last_merged: int | None
    first_in_runs: int | None

    @property
    def oldest(self) -> int | None:
        """The first of all."""
        firsts = self.first_in_blocks, self.first_merged, self.first_in_runs
        return min((first for first in firsts if first is not None), default=None)

    def reach(self, rowid: int) -> bool:
        """Whether there may be rows from this one on."""
        lasts = self.last_in_blocks, self.last_merged
        return self.first_in_runs is not None or any(last is not None and last >= rowid for last in lasts)


def places(conn: Connection, uids: Sequence[str]) -> dict[str, Places]:
    """Return where the rows of these metrics lie."""
    merged = "(SELECT rowid FROM merged_row WHERE metric = number.id ORDER BY rowid {} LIMIT 1)"
    query = (
        "SELECT number.uid, (SELECT min(first) FROM row_block WHERE metric = number.id),"
        f" (SELECT max(last) FROM row_block WHERE metric = number.id), {merged.format('ASC')}, {merged.format('DESC')},"
        " (SELECT min(sample.rowid) FROM sample_run AS run CROSS JOIN run_sample AS sample"
        " ON sample.run = run.id AND sample.metric = number.id)"
        " FROM metric_number AS number WHERE number.uid IN ({})"
    )
    return {
        uid: Places(*rowids)
        for some in in_chunks(uids)
        for uid, *rowids in conn.exec_driver_sql(query.format(", ".join("?" * len(some))), tuple(some))
    }


def first_from(conn: Connection, uid: str, second: int) -> int:
    """Return a rowid so that rows from there on are at this time or later; see `series.first_from`."""
    metric = conn.exec_driver_sql("SELECT id FROM metric_number WHERE uid = ?", (uid,)).scalar()
    in_runs = conn.exec_driver_sql(
        "SELECT min(CASE WHEN time >= ? THEN sample.rowid END), max(sample.rowid) FROM sample_run AS run"
        " CROSS JOIN run_sample AS sample ON sample.run = run.id AND sample.metric = ?",
        (second, metric),
    ).one()
    own = "SELECT rowid, time FROM merged_row WHERE metric = ?"
    newest = conn.exec_driver_sql(f"{own} ORDER BY rowid DESC LIMIT 1", (metric,)).first()
    found = [] if in_runs[0] is None else [int(in_runs[0])]
    block = conn.exec_driver_sql(
        "SELECT first, columns FROM row_block WHERE id = (SELECT id FROM row_block WHERE metric = ? AND last_time >= ?"
        " ORDER BY first LIMIT 1)",
        (metric, second),
    ).first()
    if block is not None:
        found.append(int(block.first + np.searchsorted(Block(block.columns).column("time"), second)))
    if newest is not None and newest.time >= second:
        low, high = 0, int(newest.rowid)
        while low < high:  # by halves: times ascend with the rowids
            middle = (low + high) // 2
            row = conn.exec_driver_sql(f"{own} AND rowid >= ? ORDER BY rowid LIMIT 1", (metric, middle)).one()
            if row.time >= second:
                high = middle
            else:
                low = row.rowid + 1
        first = conn.exec_driver_sql(f"{own} AND rowid >= ? ORDER BY rowid LIMIT 1", (metric, low)).one()
        found.append(int(first.rowid))  # a row of a run may lie before it
    if found:
        return min(found)
    in_blocks = conn.exec_driver_sql("SELECT max(last) FROM row_block WHERE metric = ?", (metric,)).scalar()
    last = [int(rowid) for rowid in (in_runs[1], newest and newest.rowid, in_blocks) if rowid is not None]
    return max(last) + 1 if last else 0


def _run(conn: Connection) -> int:
    """Return the run to which rows are appended."""
    newest = conn.exec_driver_sql("SELECT id, rows FROM sample_run ORDER BY id DESC LIMIT 1").first()
    if newest is not None and newest.rows < MIN_RUN_ROWS:
        return int(newest.id)
    # Numbers are not given again, so that this is at least how many metrics there are.
    metrics = conn.exec_driver_sql("SELECT max(id) FROM metric_number").scalar() or 0
    if newest is not None and newest.rows < ROWS_OF_METRIC * metrics:
        return int(newest.id)
    run = 1 if newest is None else int(newest.id) + 1
    conn.exec_driver_sql("INSERT INTO sample_run (id, rows) VALUES (?, 0)", (run,))
    return run
