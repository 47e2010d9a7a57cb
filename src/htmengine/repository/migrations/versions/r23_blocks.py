"""In SQLite there is room for blocks, which rows that hardly change any more may become."""

from alembic import op

revision = "c41f7a90d2e6"
down_revision = "9b3e5d41f7a2"

BLOCK_ROWS = 512

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

BLOCKS = (
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

_COLUMNS = (
    "number.uid AS uid, sample.rowid AS rowid,"
    " strftime('%Y-%m-%d %H:%M:%S.000000', sample.time, 'unixepoch') AS timestamp, sample.value AS metric_value, {},"
    " sample.digest AS digest, sample.time AS time"
)
_RECENT = (
    f"SELECT {_COLUMNS.format(', '.join(f'score.{name} AS {name}' for name in NAMES))}"
    " FROM metric_number AS number JOIN sample_run AS run"
    " JOIN run_sample AS sample ON sample.run = run.id AND sample.metric = number.id"
    " LEFT JOIN run_score AS score"
    " ON score.run = sample.run AND score.metric = sample.metric AND score.rowid = sample.rowid"
    f" UNION ALL SELECT {_COLUMNS.format(', '.join(f'sample.{name}' for name in NAMES))}"
    " FROM metric_number AS number JOIN merged_row AS sample ON sample.metric = number.id"
)

RECENT_VIEW = f"CREATE VIEW recent_row AS {_RECENT}"

_IN_RUNS = "run IN (SELECT id FROM sample_run)"
_GONE = "metric = (SELECT id FROM metric_number WHERE uid = OLD.uid)"
DELETE_TRIGGER = (
    "CREATE TRIGGER metric_number_delete AFTER DELETE ON metric BEGIN"
    f" DELETE FROM run_score WHERE {_IN_RUNS} AND {_GONE}; DELETE FROM run_sample WHERE {_IN_RUNS} AND {_GONE};"
    f" DELETE FROM merged_row WHERE {_GONE}; DELETE FROM row_block WHERE {_GONE};"
    " DELETE FROM metric_number WHERE uid = OLD.uid; END"
)

STATISTICS = (
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


def upgrade() -> None:
    """Make the tables and the view of what is in none; rows become blocks as time goes by, where people want them to."""
    bind = op.get_bind()
    if bind.dialect.name != "sqlite":
        return
    bind.exec_driver_sql("DROP TRIGGER metric_number_delete")
    for statement in (*BLOCKS, RECENT_VIEW, DELETE_TRIGGER, *STATISTICS):
        bind.exec_driver_sql(statement)
    bind.exec_driver_sql("INSERT INTO row_compaction (next_metric) VALUES (1)")
