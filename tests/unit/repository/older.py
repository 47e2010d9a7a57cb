"""The tables of SQLite as they were before rows were kept in runs."""

from sqlalchemy import Connection

from htmengine.repository.embedded import tables

REVISION = "8d41b7e6c025"
TABLE = """CREATE TABLE metric_data (
    uid VARCHAR(40) DEFAULT '' NOT NULL, rowid INTEGER DEFAULT 0 NOT NULL, timestamp DATETIME NOT NULL,
    metric_value DOUBLE NOT NULL, raw_anomaly_score DOUBLE, anomaly_score DOUBLE, display_value INTEGER,
    multi_step_best_predictions TEXT, log_score DOUBLE, sequence_score DOUBLE, novelty_score DOUBLE, digest BIGINT,
    forecast REAL, usual_low REAL, usual_high REAL, PRIMARY KEY (uid, rowid), CONSTRAINT metric_data_to_metric_fk
    FOREIGN KEY(uid) REFERENCES metric (uid) ON DELETE CASCADE ON UPDATE CASCADE)"""
INDEXES = (
    "CREATE INDEX timestamp_idx ON metric_data (timestamp)",
    "CREATE INDEX anomaly_score_idx ON metric_data (anomaly_score) WHERE anomaly_score >= 0.99",
)


WITH_BLOCKS = "c41f7a90d2e6"
LAGGING = "scored_rowid < last_rowid AND status IN (1, 2)"


def as_before_watermarks(conn: Connection) -> None:
    """Make the tables those of the revision before, with the same rows."""
    conn.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{WITH_BLOCKS}'")
    for name in ("scored_rowid", "hourly_rowid"):
        conn.exec_driver_sql(f"ALTER TABLE metric ADD COLUMN {name} INTEGER DEFAULT 0 NOT NULL")
        known = f"SELECT {name} FROM metric_watermark AS own WHERE own.uid = metric.uid"
        conn.exec_driver_sql(f"UPDATE metric SET {name} = coalesce(({known}), 0)")
    conn.exec_driver_sql("DROP TABLE metric_watermark")
    if conn.dialect.name == "sqlite":
        for action in ("insert", "delete"):
            conn.exec_driver_sql(f"DROP TRIGGER metric_watermark_{action}")
        conn.exec_driver_sql(f"CREATE INDEX metric_lagging_idx ON metric (uid) WHERE {LAGGING}")
    if conn.dialect.name == "mysql":
        conn.exec_driver_sql(
            f"ALTER TABLE metric ADD COLUMN is_lagging BOOLEAN GENERATED ALWAYS AS ({LAGGING}) VIRTUAL,"
            " ADD INDEX metric_lagging_idx (is_lagging, uid)"
        )


def as_before_runs(conn: Connection) -> None:
    """Make the tables those of the revision before, with the same rows; other databases have had no runs."""
    as_before_watermarks(conn)
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql("CREATE TEMPORARY TABLE kept AS SELECT * FROM metric_data")
        for view in ("metric_data", "recent_row"):
            conn.exec_driver_sql(f"DROP VIEW {view}")
        for action in ("insert", "update", "delete"):
            conn.exec_driver_sql(f"DROP TRIGGER metric_number_{action}")
        for statement in (*tables.TABLES, *tables.BLOCKS):
            if statement.startswith("CREATE TABLE"):
                conn.exec_driver_sql(f"DROP TABLE {statement.split()[2]}")
        conn.exec_driver_sql(TABLE)
        columns = [row.name for row in conn.exec_driver_sql("PRAGMA table_info (metric_data)")]
        conn.exec_driver_sql(f"INSERT INTO metric_data SELECT {', '.join(columns)} FROM kept")
        conn.exec_driver_sql("DROP TABLE kept")
        for statement in INDEXES:
            conn.exec_driver_sql(statement)
    conn.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{REVISION}'")
