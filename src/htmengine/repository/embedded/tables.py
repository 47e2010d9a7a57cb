"""What stands for the table `metric_data`, and lets applications write to it as to a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

SCORES: Final = (
    "raw_anomaly_score",
    "anomaly_score",
    "display_value",
    "multi_step_best_predictions",
    "log_score",
    "sequence_score",
    "novelty_score",
    "forecast",
    "usual_low",
    "usual_high",
)
_TYPES: Final = {"display_value": "INTEGER", "multi_step_best_predictions": "TEXT"}
_SCORES: Final = ", ".join(f"{name} {_TYPES.get(name, 'REAL')}" for name in SCORES)
_SAMPLE: Final = "rowid INTEGER NOT NULL, time INTEGER NOT NULL, value REAL NOT NULL, digest INTEGER"
_NOTABLE: Final = "anomaly_score >= 0.99"

TABLES: Final = (
    # Numbers of metrics: short, and those that were created together follow each other.
    "CREATE TABLE metric_number (id INTEGER PRIMARY KEY AUTOINCREMENT, uid VARCHAR(40) NOT NULL UNIQUE)",
    # The newest takes rows; the others are full, and wait to be merged.
    "CREATE TABLE sample_run (id INTEGER PRIMARY KEY, rows INTEGER NOT NULL)",
    f"CREATE TABLE run_sample (run INTEGER NOT NULL, metric INTEGER NOT NULL, {_SAMPLE},"
    " PRIMARY KEY (run, metric, rowid)) WITHOUT ROWID",
    f"CREATE TABLE run_score (run INTEGER NOT NULL, metric INTEGER NOT NULL, rowid INTEGER NOT NULL, {_SCORES},"
    " PRIMARY KEY (run, metric, rowid)) WITHOUT ROWID",
    f"CREATE INDEX run_score_notable_idx ON run_score (anomaly_score) WHERE {_NOTABLE}",
    f"CREATE TABLE merged_row (metric INTEGER NOT NULL, {_SAMPLE}, {_SCORES}, PRIMARY KEY (metric, rowid)) WITHOUT ROWID",
    "CREATE INDEX merged_row_time_idx ON merged_row (time)",
    f"CREATE INDEX merged_row_notable_idx ON merged_row (anomaly_score) WHERE {_NOTABLE}",
    # One row while runs are being merged: the last of them, and the metric with which to go on.
    "CREATE TABLE run_merge (last_run INTEGER NOT NULL, next_metric INTEGER NOT NULL)",
)

BLOCK_ROWS: Final = 512
"""Most rows of a block."""
BLOCKS: Final = (
    # Rows of a metric without a gap, compressed. What stands beside them is what they are looked for by.
    "CREATE TABLE row_block (id INTEGER PRIMARY KEY, metric INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"
    " first_time INTEGER NOT NULL, last_time INTEGER NOT NULL, highest REAL, checksum INTEGER NOT NULL, columns BLOB NOT NULL)",
    "CREATE UNIQUE INDEX row_block_metric_idx ON row_block (metric, first, last, last_time)",
    "CREATE INDEX row_block_oldest_idx ON row_block (first_time)",
    "CREATE INDEX row_block_newest_idx ON row_block (last_time, highest)",
    # One row while metrics are looked through for rows that become blocks: the metric with which to go on.
    "CREATE TABLE row_compaction (next_metric INTEGER NOT NULL)",
    "CREATE TABLE block_place (id INTEGER PRIMARY KEY)",
    "INSERT INTO block_place WITH RECURSIVE place (id) AS (SELECT 0 UNION ALL SELECT id + 1 FROM place"
    f" WHERE id < {BLOCK_ROWS - 1}) SELECT id FROM place",
)

_COLUMNS: Final = (
    "number.uid AS uid, sample.rowid AS rowid,"
    " strftime('%Y-%m-%d %H:%M:%S.000000', sample.time, 'unixepoch') AS timestamp, sample.value AS metric_value, {},"
    " sample.digest AS digest, sample.time AS time"
)
_RECENT: Final = (
    f"SELECT {_COLUMNS.format(', '.join(f'score.{name} AS {name}' for name in SCORES))}"
    " FROM metric_number AS number JOIN sample_run AS run"
    " JOIN run_sample AS sample ON sample.run = run.id AND sample.metric = number.id"
    " LEFT JOIN run_score AS score"
    " ON score.run = sample.run AND score.metric = sample.metric AND score.rowid = sample.rowid"
    f" UNION ALL SELECT {_COLUMNS.format(', '.join(f'sample.{name}' for name in SCORES))}"
    " FROM metric_number AS number JOIN merged_row AS sample ON sample.metric = number.id"
)


def _item(name: str) -> str:
    """Return a row's part of a column of a block; the column is taken up only where it is not known from the row before."""
    item = f"htmengine_block_item(block.checksum, place.id, '{name}')"
    return (
        f"CASE WHEN htmengine_block_is_open(block.checksum) THEN {item}"
        f" ELSE htmengine_block_item(block.checksum, place.id, '{name}', block.columns) END"
    )


_BLOCK: Final = "row_block AS block JOIN block_place AS place ON place.id <= block.last - block.first"
_IN_BLOCKS: Final = (
    "SELECT number.uid AS uid, block.first + place.id AS rowid,"
    f" strftime('%Y-%m-%d %H:%M:%S.000000', {_item('time')}, 'unixepoch') AS timestamp,"
    f" {_item('value')} AS metric_value, {', '.join(f'{_item(name)} AS {name}' for name in SCORES)},"
    f" {_item('digest')} AS digest, {_item('time')} AS time"
    f" FROM metric_number AS number JOIN row_block AS block ON block.metric = number.id"
    " JOIN block_place AS place ON place.id <= block.last - block.first"
)
RECENT_VIEW: Final = f"CREATE VIEW recent_row AS {_RECENT}"

SPREAD: Final = (
    f"INSERT INTO merged_row (metric, rowid, time, value, {', '.join(SCORES)}, digest)"
    f" SELECT block.metric, block.first + place.id, {_item('time')}, {_item('value')},"
    f" {', '.join(map(_item, SCORES))}, {_item('digest')} FROM {_BLOCK}"
)
"""Brings blocks back into rows; a condition of which ones follows, and then they are deleted."""

_OLD: Final = "metric = (SELECT id FROM metric_number WHERE uid = OLD.uid) AND rowid = OLD.rowid"
_IN_RUNS: Final = "run IN (SELECT id FROM sample_run)"
_OF_OLD: Final = (
    "metric = (SELECT id FROM metric_number WHERE uid = OLD.uid) AND first <= OLD.rowid AND last >= OLD.rowid"
)
_SPREAD_OLD: Final = f"{SPREAD} WHERE {_OF_OLD}; DELETE FROM row_block WHERE {_OF_OLD}; "
_REMOVE: Final = (
    f"DELETE FROM run_score WHERE {_IN_RUNS} AND {_OLD};"
    f" DELETE FROM run_sample WHERE {_IN_RUNS} AND {_OLD};"
    f" DELETE FROM merged_row WHERE {_OLD};"
)
_REFUSE_OF_BLOCK: Final = (
    "SELECT RAISE(ABORT, 'UNIQUE constraint failed: metric_data.uid, metric_data.rowid') FROM metric_number AS number"
    " JOIN row_block AS block ON block.metric = number.id AND coalesce(NEW.rowid, 0) BETWEEN block.first AND block.last"
    " WHERE number.uid = NEW.uid; "
)
_ADD: Final = (
    "SELECT RAISE(ABORT, 'UNIQUE constraint failed: metric_data.uid, metric_data.rowid') FROM metric_number AS number"
    " JOIN sample_run AS run JOIN run_sample AS sample ON sample.run = run.id AND sample.metric = number.id"
    " WHERE number.uid = NEW.uid AND sample.rowid = coalesce(NEW.rowid, 0);"
    f" INSERT INTO merged_row (metric, rowid, time, value, digest, {', '.join(SCORES)})"
    " VALUES ((SELECT id FROM metric_number WHERE uid = coalesce(NEW.uid, '')), coalesce(NEW.rowid, 0),"
    " CAST(strftime('%s', NEW.timestamp) AS INTEGER), NEW.metric_value, NEW.digest,"
    f" {', '.join(f'NEW.{name}' for name in SCORES)});"
)
_GONE: Final = "metric = (SELECT id FROM metric_number WHERE uid = OLD.uid)"


def _metric_data(more: str = "", remove: str = _REMOVE, add: str = _ADD) -> tuple[str, ...]:
    return (
        f"CREATE VIEW metric_data AS {_RECENT}{more}",
        f"CREATE TRIGGER metric_data_insert INSTEAD OF INSERT ON metric_data BEGIN {add} END",
        f"CREATE TRIGGER metric_data_update INSTEAD OF UPDATE ON metric_data BEGIN {remove} {add} END",
        f"CREATE TRIGGER metric_data_delete INSTEAD OF DELETE ON metric_data BEGIN {remove} END",
    )


DATA_VIEW: Final = _metric_data()
"""Where no row is in a block: any client of SQLite reads and writes it."""
DATA_VIEW_WITH_BLOCKS: Final = _metric_data(
    f" UNION ALL {_IN_BLOCKS}", _SPREAD_OLD + _REMOVE, _REFUSE_OF_BLOCK + _ADD
)
"""SQLite looks for the functions that read a block already when it looks at a view, whether there are blocks or not."""

TRIGGERS: Final = (
    "CREATE TRIGGER metric_number_insert AFTER INSERT ON metric BEGIN INSERT INTO metric_number (uid)"
    " SELECT NEW.uid WHERE NOT EXISTS (SELECT 1 FROM metric_number WHERE uid = NEW.uid); END",
    "CREATE TRIGGER metric_number_update AFTER UPDATE OF uid ON metric WHEN NEW.uid <> OLD.uid"
    " BEGIN UPDATE metric_number SET uid = NEW.uid WHERE uid = OLD.uid; END",
    "CREATE TRIGGER metric_number_delete AFTER DELETE ON metric BEGIN"
    f" DELETE FROM run_score WHERE {_IN_RUNS} AND {_GONE}; DELETE FROM run_sample WHERE {_IN_RUNS} AND {_GONE};"
    f" DELETE FROM merged_row WHERE {_GONE}; DELETE FROM row_block WHERE {_GONE};"
    " DELETE FROM metric_number WHERE uid = OLD.uid; END",
    # In the order of the metrics, so that those that send together share pages.
    "CREATE TRIGGER metric_watermark_insert AFTER INSERT ON metric BEGIN INSERT INTO metric_watermark (uid, generation)"
    " SELECT NEW.uid, NEW.generation WHERE NOT EXISTS (SELECT 1 FROM metric_watermark WHERE uid = NEW.uid); END",
    # Foreign keys are not looked at on connections that do not ask for it.
    "CREATE TRIGGER metric_watermark_delete AFTER DELETE ON metric BEGIN"
    " DELETE FROM metric_watermark WHERE uid = OLD.uid; END",
)

STATISTICS: Final = (
    # For the planner, which would look at runs and metrics in the wrong order: rows, then those that are equal in the
    # first column of the index, in the first two, and so on. Counted once and for all: a large installation.
    "ANALYZE sample_run",
    "DELETE FROM sqlite_stat1 WHERE tbl IN ('metric_number', 'sample_run', 'run_sample', 'run_score', 'merged_row',"
    " 'row_block', 'block_place')",
    "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES"
    " ('metric_number', 'sqlite_autoindex_metric_number_1', '10000 1'),"
    " ('sample_run', NULL, '10'),"
    " ('run_sample', 'run_sample', '1000000 100000 10 1'),"
    " ('run_score', 'run_score', '1000000 100000 10 1'),"
    " ('merged_row', 'merged_row', '10000000 1000 1'),"
    " ('merged_row', 'merged_row_time_idx', '10000000 1000'),"
    " ('row_block', 'row_block_metric_idx', '100000 20 1 1 1'),"
    " ('row_block', 'row_block_oldest_idx', '100000 10'),"
    " ('row_block', 'row_block_newest_idx', '100000 10 2'),"
    f" ('block_place', NULL, '{BLOCK_ROWS}')",
)


def show_blocks(conn: Connection) -> bool:
    """Let `metric_data` show blocks, too; return whether it did not yet."""
    if _shows_blocks(conn):
        return False
    _replace_view(conn, DATA_VIEW_WITH_BLOCKS)
    return True


def hide_blocks(conn: Connection) -> None:
    """Let any client of SQLite read `metric_data`: there are no blocks."""
    if _shows_blocks(conn):
        _replace_view(conn, DATA_VIEW)


def _shows_blocks(conn: Connection) -> bool:
    query = "SELECT sql LIKE '%row_block%' FROM sqlite_schema WHERE type = 'view' AND name = 'metric_data'"
    return bool(conn.exec_driver_sql(query).scalar())


def _replace_view(conn: Connection, statements: Sequence[str]) -> None:
    for statement in ("DROP VIEW metric_data", *statements):
        conn.exec_driver_sql(statement)


def create(conn: Connection) -> None:
    """Create what stands for the table `metric_data`; that of the metrics is there, and has no row."""
    for statement in (*TABLES, *BLOCKS, RECENT_VIEW, *DATA_VIEW, *TRIGGERS, *STATISTICS):
        conn.exec_driver_sql(statement)
