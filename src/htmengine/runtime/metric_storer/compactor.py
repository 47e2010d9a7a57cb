"""Brings rows of a SQLite file into the order of their metrics, and into blocks, a part at a time between two batches."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from htmengine.repository.database import Database
from htmengine.repository.embedded import compaction, merging
from htmengine.service.counters import Counters
from htmengine.service.fault_injection import Step

MIN_MERGED_ROWS: Final = 4000
"""So many rows are merged at once, or more: with few of them, each page would be written for a few rows."""
BLOCKS_BATCH_SIZE: Final = 2
"""So many blocks are made in a transaction."""


class Compactor:
    """Keeps up with the rows that come: does about twice as many. So none pile up, and nobody waits long.

    Parameters
    ----------
    compress_rows : whether rows become blocks; None where the file itself says so.
    step : called when a part is committed.
    """

    def __init__(
        self, database: Database, counters: Counters, *, compress_rows: bool | None, step: Step
    ) -> None:
        self._database = database
        self._counters = counters
        self._compress_rows = compress_rows
        self._step = step
        self._came = 0
        """Rows since the last turn."""
        self._to_do = 0
        """Rows for which it is this one's turn, as far as there are any."""

    def rows_came(self, count: int) -> None:
        """Say that rows were stored."""
        self._came += count

    def work(self) -> None:
        """Merge and compact rows of full runs, where enough have come, or none."""
        came, self._came = self._came, 0
        self._to_do += 2 * came
        if came and self._to_do < MIN_MERGED_ROWS:
            return  # a later turn works for this one, too
        rows, self._to_do = max(MIN_MERGED_ROWS, self._to_do), 0
        with self._database.read() as conn:
            may_merge = merging.is_due(conn)
            may_compact = compaction.is_due(conn) and self._compresses(conn)
        if may_merge:
            with self._database.write() as conn:
                merged = merging.merge(conn, rows)
            self._counters.add("rows_merged", merged)
            self._step("metric_storer.merged")
        while may_compact and rows > 0:  # each time so few that others do not wait
            with self._database.write() as conn:
                compacted = compaction.compact(conn, BLOCKS_BATCH_SIZE)
            self._counters.add("rows_compacted", compacted)
            self._step("metric_storer.compacted")
            may_compact = compacted > 0
            rows -= compacted

    def _compresses(self, conn: Connection) -> bool:
        return compaction.is_wanted(conn) if self._compress_rows is None else self._compress_rows
