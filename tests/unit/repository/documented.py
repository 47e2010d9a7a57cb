"""Databases as the documented statements and the migrations of older applications made them."""

from sqlalchemy import Connection, text

REVISIONS = ("57ab75d58038", "1d2eddc43366", "872a895b8e8", "315d6ad6c19f")


def create(conn: Connection, *, revision: str | None, time: str = "") -> None:
    """Create the documented tables; those of the newest revision have a column for predictions."""
    time = time or ("TIMESTAMP" if conn.dialect.name == "postgresql" else "DATETIME")
    double = "DOUBLE PRECISION" if conn.dialect.name == "postgresql" else "DOUBLE"
    lock = conn.dialect.identifier_preparer.quote("lock")
    predictions = ", multi_step_best_predictions TEXT" if revision == REVISIONS[-1] else ""
    for statement in (
        f"""CREATE TABLE instance_status_history (server VARCHAR(100) DEFAULT '' NOT NULL, timestamp {time} NOT NULL,
            status VARCHAR(32) DEFAULT '' NOT NULL, PRIMARY KEY (server, timestamp))""",
        f"CREATE TABLE {lock} (name VARCHAR(40) NOT NULL, PRIMARY KEY (name))",
        f"""CREATE TABLE metric (uid VARCHAR(40) NOT NULL, datasource VARCHAR(100), name VARCHAR(255),
            description VARCHAR(200), server VARCHAR(100), location VARCHAR(200), parameters TEXT,
            status INTEGER DEFAULT '0', message TEXT, collector_error TEXT, last_timestamp {time} NULL DEFAULT NULL,
            poll_interval INTEGER DEFAULT '60', tag_name VARCHAR(200), model_params TEXT, last_rowid INTEGER,
            PRIMARY KEY (uid))""",
        "CREATE INDEX datasource_idx ON metric (datasource)",
        "CREATE INDEX location_idx ON metric (location)",
        "CREATE INDEX server_idx ON metric (server)",
        f"""CREATE TABLE metric_data (uid VARCHAR(40) DEFAULT '' NOT NULL, rowid INTEGER DEFAULT '0' NOT NULL,
            timestamp {time} NOT NULL, metric_value {double} NOT NULL,
            raw_anomaly_score {double}, anomaly_score {double},
            display_value INTEGER{predictions}, PRIMARY KEY (uid, rowid), CONSTRAINT metric_data_to_metric_fk
            FOREIGN KEY(uid) REFERENCES metric (uid) ON DELETE CASCADE ON UPDATE CASCADE)""",
        "CREATE INDEX anomaly_score_idx ON metric_data (anomaly_score)",
        "CREATE INDEX timestamp_idx ON metric_data (timestamp)",
        # What an application left: a metric with a model, whose third row was lost, and one without.
        "INSERT INTO metric (uid, datasource, name, status, last_rowid) VALUES ('modelled', 'custom', 'm', 1, 5)",
        "INSERT INTO metric (uid, datasource, name, last_rowid) VALUES ('unmonitored', 'custom', 'u', 2)",
        "INSERT INTO metric (uid, datasource, name, status) VALUES ('fresh', 'custom', 'f', NULL)",
        "INSERT INTO metric (uid, datasource, name, status, last_rowid) VALUES ('purged', 'custom', 'p', 1, 7)",
    ):
        conn.execute(text(statement))
    for rowid in range(2, 6):
        score = None if rowid == 4 else 0.5
        conn.execute(
            text(
                "INSERT INTO metric_data (uid, rowid, timestamp, metric_value, raw_anomaly_score, anomaly_score) "
                "VALUES ('modelled', :rowid, :time, 1.5, :score, :score)"
            ),
            {"rowid": rowid, "time": f"2026-01-01 00:0{rowid}:00", "score": score},
        )
    conn.execute(
        text(
            "INSERT INTO metric_data (uid, rowid, timestamp, metric_value) "
            "VALUES ('unmonitored', 2, '2026-01-01 00:00:07', 1.5)"
        )
    )
    if revision is not None:
        conn.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        conn.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})
