"""Compaction: merged rows that hardly change any more become blocks, a few in a transaction."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from htmengine.htm import _kernels
from htmengine.repository.embedded import blocks
from htmengine.repository.embedded.blocks import Rows
from htmengine.repository.embedded.tables import BLOCK_ROWS, SPREAD, hide_blocks, show_blocks
from htmengine.repository.status import WITH_MODEL

log: Final = logging.getLogger(__name__)

METRICS_BATCH_SIZE: Final = 200
"""So many metrics are looked at in a transaction."""
MIN_PIECE: Final = 64
"""Fewer rows between two gaps stay rows."""

PLAIN_S: Final = 86_400.0
"""Rows stay rows for so long, counted back from the newest one of their metric that was merged: any client of SQLite reads
them, and most of what is scored late, taught or looked at is among them."""

Integers = npt.NDArray[np.int64]


def begin(conn: Connection) -> None:
    """Have all metrics looked through, those at hand and then those before."""
    conn.exec_driver_sql(
        "INSERT INTO row_compaction (next_metric) SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM row_compaction)"
    )


def is_due(conn: Connection) -> bool:
    """Tell whether there may be rows to compact. Always false on servers."""
    if conn.dialect.name != "sqlite":
        return False
    return conn.exec_driver_sql("SELECT 1 FROM row_compaction").first() is not None


def is_wanted(conn: Connection) -> bool:
    """Tell whether the rows of this file become blocks where the configuration says nothing of it."""
    setting = conn.exec_driver_sql(
        "SELECT setting FROM installation WHERE name = ?", (_COMPRESS_ROWS,)
    ).scalar()
    return setting == _YES


def want(conn: Connection, wanted: bool) -> None:
    """Say whether the rows of this file become blocks from now on; blocks that there are stay."""
    setting = (_COMPRESS_ROWS, _YES if wanted else _NO)
    conn.exec_driver_sql("INSERT OR REPLACE INTO installation (name, setting) VALUES (?, ?)", setting)
    if wanted:
        begin(conn)


def compact(conn: Connection, most: int) -> int:
    """Make at most so many blocks, of BLOCK_ROWS rows each at most; return how many rows are in them.

    A block begins behind a multiple of BLOCK_ROWS. Only rows before the last that has its scores are taken, or before the
    newest of a metric without a model, so that the ends of a metric are found without blocks; and of these the older ones.
    """
    state = conn.exec_driver_sql("SELECT next_metric FROM row_compaction").first()
    if state is None:
        return 0
    rows = 0
    metrics = conn.exec_driver_sql(_METRICS, (state.next_metric, METRICS_BATCH_SIZE)).all()
    for metric, oldest, before, newest in metrics:
        while oldest is not None and (last := _end(oldest)) < before:
            if conn.exec_driver_sql(_TIME, (metric, oldest, last)).scalar_one() > newest - PLAIN_S:
                break
            for rowids, piece in _pieces(conn, metric, oldest, last):
                if not rows and show_blocks(conn):
                    log.info(
                        "repository.compressed: clients of SQLite that lack the engine's functions read recent_row now"
                    )
                _replace(conn, metric, rowids, piece)
                rows += len(rowids)
                most -= 1
                if most <= 0:
                    conn.exec_driver_sql("UPDATE row_compaction SET next_metric = ?", (metric,))
                    return rows
            oldest = conn.exec_driver_sql(_OLDEST, (metric, last)).scalar()
    if len(metrics) < METRICS_BATCH_SIZE:
        conn.exec_driver_sql("DELETE FROM row_compaction")
    else:
        conn.exec_driver_sql("UPDATE row_compaction SET next_metric = ?", (metrics[-1].id + 1,))
    return rows


def undo(conn: Connection, most: int) -> bool:
    """Bring at most so many blocks back into rows; return whether there were any. Without any, SQLite alone reads all rows."""
    if spread(conn, "id IN (SELECT id FROM row_block LIMIT ?)", (most,)):
        return True
    hide_blocks(conn)
    return False


def spread(conn: Connection, condition: str, parameters: Sequence[Any]) -> bool:
    """Bring blocks for which a condition of SQL holds back into rows, so that these can change; return whether there are any."""
    found = conn.exec_driver_sql(
        f"SELECT id FROM row_block AS block WHERE {condition}", tuple(parameters)
    ).all()
    for (block,) in found:
        conn.exec_driver_sql(f"{SPREAD} WHERE block.id = ?", (block,))
        conn.exec_driver_sql("DELETE FROM row_block WHERE id = ?", (block,))
    return bool(found)


_COMPRESS_ROWS: Final = "compress_rows"
_YES: Final = "true"
_NO: Final = "false"
_WITH_MODEL: Final = ", ".join(str(int(status)) for status in WITH_MODEL)
_OLDEST: Final = "SELECT rowid FROM merged_row WHERE metric = ? AND rowid > ? ORDER BY rowid LIMIT 1"
_TIME: Final = (
    "SELECT time FROM merged_row WHERE metric = ? AND rowid BETWEEN ? AND ? ORDER BY rowid DESC LIMIT 1"
)
_METRICS: Final = (
    "SELECT number.id, (SELECT rowid FROM merged_row WHERE metric = number.id ORDER BY rowid LIMIT 1) AS oldest,"
    f" CASE WHEN metric.status IN ({_WITH_MODEL}) THEN coalesce(watermark.scored_rowid, 0) ELSE coalesce(metric.last_rowid, 0) END,"
    " (SELECT time FROM merged_row WHERE metric = number.id ORDER BY rowid DESC LIMIT 1)"
    " FROM metric_number AS number JOIN metric ON metric.uid = number.uid"
    " LEFT JOIN metric_watermark AS watermark ON watermark.uid = number.uid WHERE number.id >= ? ORDER BY number.id LIMIT ?"
)
_ROWS: Final = (
    f"SELECT rowid, {', '.join((*blocks.INTEGERS, *blocks.REALS, *blocks.TEXTS))} FROM merged_row"
    " WHERE metric = ? AND rowid BETWEEN ? AND ? ORDER BY rowid"
)


def _end(rowid: int) -> int:
    """Return the last rowid of the block in which a row would be."""
    return -(-rowid // BLOCK_ROWS) * BLOCK_ROWS


def _pieces(conn: Connection, metric: int, first: int, last: int) -> Iterator[tuple[Integers, Rows]]:
    """Return the merged rows of a metric from one rowid to another, those without a gap together, and their rowids."""
    # The driver's own rows: SQLAlchemy's take longer than what becomes of them.
    found = conn.exec_driver_sql(_ROWS, (metric, first, last)).cursor.fetchall()
    integers, reals = _kernels.rows_as_columns(
        found, 1 + len(blocks.INTEGERS), len(blocks.REALS), blocks.NULL
    )
    rowids = integers[0]
    begin = 0
    for end in [*(np.flatnonzero(np.diff(rowids) != 1) + 1).tolist(), len(rowids)]:
        if end - begin >= min(MIN_PIECE, last - first + 1):
            own = slice(begin, end)
            texts = [row[-1] for row in found[own]]
            yield rowids[own], Rows(integers[1:, own].copy(), reals[:, own].copy(), texts)
        begin = end


def _replace(conn: Connection, metric: int, rowids: Integers, rows: Rows) -> None:
    """Put a block in the place of rows."""
    times = rows.integers[blocks.INTEGERS.index("time")]
    scores = rows.reals[blocks.REALS.index("anomaly_score")]
    highest = None if np.isnan(scores).all() else float(np.nanmax(scores))
    block = blocks.encode(rows)
    checksum = int.from_bytes(blake2b(block, digest_size=8).digest(), "little", signed=True)
    first, last = int(rowids[0]), int(rowids[-1])
    conn.exec_driver_sql(
        "DELETE FROM merged_row WHERE metric = ? AND rowid BETWEEN ? AND ?", (metric, first, last)
    )
    conn.exec_driver_sql(
        "INSERT INTO row_block (metric, first, last, first_time, last_time, highest, checksum, columns)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (metric, first, last, int(times.min()), int(times.max()), highest, checksum, block),
    )
