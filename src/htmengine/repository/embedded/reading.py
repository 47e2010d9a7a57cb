"""Rows of a metric as columns, from blocks, merged rows and runs: without the view, which reads blocks item by item."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection

from htmengine.htm import _kernels
from htmengine.repository import identity
from htmengine.repository.embedded import blocks
from htmengine.repository.embedded.blocks import Block
from htmengine.repository.embedded.items import as_stored

_NAMES: Final = {"metric_value": "value"}
"""Columns that have another name in blocks."""


def columns(
    conn: Connection, uid: str, names: Sequence[str], first: int, last: int | None, limit: int | None = None
) -> tuple[Any, ...]:
    """Return rowids, and columns of the rows of a metric, by their rowids.

    Parameters
    ----------
    names : of the view's columns, but for uid, rowid and timestamp, in whose place is `time`.
    last : None for the newest.
    limit : at most so many rows; None for all.

    Returns
    -------
    For each column an array of shape (n,), or a list where it is text: int64 for rowids, `time` and `digest`, where UNKNOWN
    stands for NULL; float64 for the others, where NaN stands for it.
    """
    end = _LAST if last is None else last
    parts = [_recent(conn, uid, names, first, end, limit)]
    found = 0
    overlapping = conn.exec_driver_sql(_BLOCKS, (uid, first, end))
    for begin, finish, data in overlapping:
        block = Block(data)
        part = slice(max(first - begin, 0), min(end, finish) - begin + 1)
        rowids = np.arange(begin, finish + 1)[part]
        parts.append((rowids, *(column[part] for column in _of_block(block, names))))
        found += len(rowids)
        if limit is not None and found >= limit:
            overlapping.close()
            break
    return _joined(names, parts, limit)


def last_in_blocks(conn: Connection, uids: Sequence[str]) -> dict[str, int]:
    """Return the last rowid that blocks have of each of these metrics, at most 500; those without any are left out."""
    query = (
        "SELECT number.uid, max(block.last) FROM metric_number AS number CROSS JOIN row_block AS block"
        f" ON block.metric = number.id WHERE number.uid IN ({', '.join('?' * len(uids))}) GROUP BY number.uid"
    )
    return {uid: int(last) for uid, last in conn.exec_driver_sql(query, tuple(uids))}


_LAST: Final = (1 << 63) - 1
_BLOCKS: Final = (
    "SELECT block.first, block.last, block.columns FROM metric_number AS number"
    " CROSS JOIN row_block AS block ON block.metric = number.id WHERE number.uid = ? AND block.last >= ? AND block.first <= ?"
    " ORDER BY block.first"
)


def _recent(
    conn: Connection, uid: str, names: Sequence[str], first: int, last: int, limit: int | None
) -> tuple[Any, ...]:
    integers = [name for name in names if name in blocks.INTEGERS]
    texts = [name for name in names if name in blocks.TEXTS]
    reals = [name for name in names if name not in (*integers, *texts)]
    rows = conn.exec_driver_sql(
        f"SELECT {', '.join(['rowid', *integers, *reals, *texts])} FROM recent_row"
        " WHERE uid = ? AND rowid BETWEEN ? AND ? ORDER BY rowid LIMIT ?",
        (uid, first, last, -1 if limit is None else limit),
    ).cursor.fetchall()
    whole, real = _kernels.rows_as_columns(rows, 1 + len(integers), len(reals), identity.UNKNOWN)
    found: dict[str, Any] = dict(zip(["rowid", *integers], whole.view(np.int64), strict=True))
    found |= zip(reals, real, strict=True)
    found |= {name: [row[place] for row in rows] for place, name in enumerate(texts, -len(texts))}
    return tuple(found[name] for name in ("rowid", *names))


def _of_block(block: Block, names: Sequence[str]) -> list[Any]:
    found = block.columns([_NAMES.get(name, name) for name in names])
    if "digest" in names:
        digests = found[names.index("digest")]
        digests[digests == blocks.NULL] = identity.UNKNOWN
    return found


def _joined(names: Sequence[str], parts: list[tuple[Any, ...]], limit: int | None) -> tuple[Any, ...]:
    if len(parts) == 1:
        return parts[0]
    parts = parts[1:] + parts[:1]  # nearly always behind the blocks
    rowids = np.concatenate([part[0] for part in parts])
    order = np.argsort(rowids, kind="stable")[:limit]
    joined: list[Any] = [rowids[order]]
    for place, name in enumerate(names, 1):
        if name in blocks.TEXTS:
            texts = [text for part in parts for text in part[place]]
            joined.append([texts[row] for row in order.tolist()])
        else:
            joined.append(np.concatenate([part[place] for part in parts])[order])
    return tuple(joined)


def newest(
    conn: Connection,
    rows: Sequence[Sequence[Any]],
    names: Sequence[str],
    limit: int,
    *,
    least_log_score: float,
    uids: Sequence[str] | None,
) -> list[tuple[Any, ...]]:
    """Return the newest scored rows, of some metrics or of all: uid, rowid and columns, the first of which is `time`.

    Parameters
    ----------
    rows : those that are not in blocks; they are returned among the others.
    limit : how many are returned at most.
    least_log_score : of rows in blocks.
    """
    found = sorted(map(tuple, rows), key=_by_time, reverse=True)[:limit]
    least = 1.0 - 10.0 ** (-10.0 * least_log_score) if least_log_score > 0 else -math.inf
    wanted = None if uids is None else set(uids)
    blocks_of_all = conn.exec_driver_sql(
        "SELECT block.id, block.last_time, number.uid FROM row_block AS block CROSS JOIN metric_number AS number"
        " ON number.id = block.metric WHERE block.highest >= ? ORDER BY block.last_time DESC",
        (least,),
    )
    with closing(blocks_of_all):
        for block, last_time, uid in blocks_of_all:
            if len(found) >= limit and last_time < found[-1][2]:
                break
            if wanted is None or uid in wanted:
                own = _scored(conn, block, uid, names, least_log_score)
                found = sorted([*found, *own], key=_by_time, reverse=True)[:limit]
    return found


def _scored(
    conn: Connection, block: int, uid: str, names: Sequence[str], least: float
) -> list[tuple[Any, ...]]:
    first, data = conn.exec_driver_sql("SELECT first, columns FROM row_block WHERE id = ?", (block,)).one()
    opened = Block(data)
    scores, log_scores = opened.columns(("anomaly_score", "log_score"))
    is_wanted = ~np.isnan(scores)
    if least > 0:
        is_wanted &= log_scores >= least
    places = np.flatnonzero(is_wanted)
    found = (as_stored(column[places]) for column in _of_block(opened, names))
    return list(zip([uid] * len(places), (first + places).tolist(), *found, strict=True))


def _by_time(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row[2], row[0], row[1]
