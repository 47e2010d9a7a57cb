"""In SQLite rows are appended in runs and merged later; `metric_data` becomes a view. Other databases keep their table."""

import logging
from time import monotonic

import sqlalchemy as sa
from alembic import op

revision = "9b3e5d41f7a2"
down_revision = "8d41b7e6c025"

_BATCH_SIZE = 50_000
_SAID_EVERY_S = 5.0

log = logging.getLogger("htmengine.repository.migrations")

NAMES = (
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
_TYPES = {"display_value": "INTEGER", "multi_step_best_predictions": "TEXT"}
_SCORES = ", ".join(f"{name} {_TYPES.get(name, 'REAL')}" for name in NAMES)
_SAMPLE = "rowid INTEGER NOT NULL, time INTEGER NOT NULL, value REAL NOT NULL, digest INTEGER"
_NOTABLE = "anomaly_score >= 0.99"

TABLES = (
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

_COLUMNS = (
    "number.uid AS uid, sample.rowid AS rowid,"
    " strftime('%Y-%m-%d %H:%M:%S.000000', sample.time, 'unixepoch') AS timestamp, sample.value AS metric_value, {},"
    " sample.digest AS digest, sample.time AS time"
)
VIEW = (
    f"CREATE VIEW metric_data AS SELECT {_COLUMNS.format(', '.join(f'score.{name} AS {name}' for name in NAMES))}"
    " FROM metric_number AS number JOIN sample_run AS run"
    " JOIN run_sample AS sample ON sample.run = run.id AND sample.metric = number.id"
    " LEFT JOIN run_score AS score"
    " ON score.run = sample.run AND score.metric = sample.metric AND score.rowid = sample.rowid"
    f" UNION ALL SELECT {_COLUMNS.format(', '.join(f'sample.{name}' for name in NAMES))}"
    " FROM metric_number AS number JOIN merged_row AS sample ON sample.metric = number.id"
)

_OLD = "metric = (SELECT id FROM metric_number WHERE uid = OLD.uid) AND rowid = OLD.rowid"
_IN_RUNS = "run IN (SELECT id FROM sample_run)"
_REMOVE = (
    f"DELETE FROM run_score WHERE {_IN_RUNS} AND {_OLD};"
    f" DELETE FROM run_sample WHERE {_IN_RUNS} AND {_OLD};"
    f" DELETE FROM merged_row WHERE {_OLD};"
)
_ADD = (
    "SELECT RAISE(ABORT, 'UNIQUE constraint failed: metric_data.uid, metric_data.rowid') FROM metric_number AS number"
    " JOIN sample_run AS run JOIN run_sample AS sample ON sample.run = run.id AND sample.metric = number.id"
    " WHERE number.uid = NEW.uid AND sample.rowid = coalesce(NEW.rowid, 0);"
    f" INSERT INTO merged_row (metric, rowid, time, value, digest, {', '.join(NAMES)})"
    " VALUES ((SELECT id FROM metric_number WHERE uid = coalesce(NEW.uid, '')), coalesce(NEW.rowid, 0),"
    " CAST(strftime('%s', NEW.timestamp) AS INTEGER), NEW.metric_value, NEW.digest,"
    f" {', '.join(f'NEW.{name}' for name in NAMES)});"
)
_GONE = "metric = (SELECT id FROM metric_number WHERE uid = OLD.uid)"

TRIGGERS = (
    f"CREATE TRIGGER metric_data_insert INSTEAD OF INSERT ON metric_data BEGIN {_ADD} END",
    f"CREATE TRIGGER metric_data_update INSTEAD OF UPDATE ON metric_data BEGIN {_REMOVE} {_ADD} END",
    f"CREATE TRIGGER metric_data_delete INSTEAD OF DELETE ON metric_data BEGIN {_REMOVE} END",
    "CREATE TRIGGER metric_number_insert AFTER INSERT ON metric BEGIN INSERT INTO metric_number (uid)"
    " SELECT NEW.uid WHERE NOT EXISTS (SELECT 1 FROM metric_number WHERE uid = NEW.uid); END",
    "CREATE TRIGGER metric_number_update AFTER UPDATE OF uid ON metric WHEN NEW.uid <> OLD.uid"
    " BEGIN UPDATE metric_number SET uid = NEW.uid WHERE uid = OLD.uid; END",
    "CREATE TRIGGER metric_number_delete AFTER DELETE ON metric BEGIN"
    f" DELETE FROM run_score WHERE {_IN_RUNS} AND {_GONE}; DELETE FROM run_sample WHERE {_IN_RUNS} AND {_GONE};"
    f" DELETE FROM merged_row WHERE {_GONE}; DELETE FROM metric_number WHERE uid = OLD.uid; END",
)

STATISTICS = (
    # For the planner, which would look at runs and metrics in the wrong order: rows, then those that are equal in the
    # first column of the index, in the first two, and so on. Counted once and for all: a large installation.
    "ANALYZE sample_run",
    "DELETE FROM sqlite_stat1 WHERE tbl IN ('metric_number', 'sample_run', 'run_sample', 'run_score', 'merged_row')",
    "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES"
    " ('metric_number', 'sqlite_autoindex_metric_number_1', '10000 1'),"
    " ('sample_run', NULL, '10'),"
    " ('run_sample', 'run_sample', '1000000 100000 10 1'),"
    " ('run_score', 'run_score', '1000000 100000 10 1'),"
    " ('merged_row', 'merged_row', '10000000 1000 1'),"
    " ('merged_row', 'merged_row_time_idx', '10000000 1000')",
)


def upgrade() -> None:
    """Take over the rows; in one transaction, as all of an upgrade of SQLite."""
    bind = op.get_bind()
    if bind.dialect.name != "sqlite":
        return
    for statement in TABLES:
        bind.exec_driver_sql(statement)
    bind.exec_driver_sql("INSERT INTO metric_number (uid) SELECT uid FROM metric ORDER BY rowid")
    _take_over(bind)
    bind.exec_driver_sql("DROP TABLE metric_data")
    for statement in (VIEW, *TRIGGERS, *STATISTICS):
        bind.exec_driver_sql(statement)


def _take_over(bind: sa.Connection) -> None:
    """Copy the rows in the order in which they came, in which neighbours have the same pages."""
    # The column "rowid" hides SQLite's own number of a row.
    last = bind.exec_driver_sql("SELECT max(_rowid_) FROM metric_data").scalar() or 0
    said = monotonic()
    for first in range(1, last + 1, _BATCH_SIZE):
        bind.exec_driver_sql(_COPY, (first, first + _BATCH_SIZE - 1))
        if monotonic() - said >= _SAID_EVERY_S:
            said = monotonic()
            log.info("repository.upgrading rows=%d of=%d", first + _BATCH_SIZE - 1, last)


_COPY = (
    "INSERT INTO merged_row SELECT number.id, old.rowid, CAST(strftime('%s', old.timestamp) AS INTEGER),"
    f" old.metric_value, old.digest, {', '.join(f'old.{name}' for name in NAMES)}"
    " FROM metric_data AS old JOIN metric_number AS number ON number.uid = old.uid"
    " WHERE old._rowid_ BETWEEN ? AND ? ORDER BY number.id, old.rowid"
)
