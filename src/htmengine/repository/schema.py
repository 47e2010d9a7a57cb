"""The tables: those of the documented schema, column for column, and what the engine adds to them.

An application written for the documented schema goes on working: every column of ours is nullable or has a default in
the database, and no documented column changed its name, type or meaning.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Dialect,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TextClause,
    event,
    insert,
    text,
)
from sqlalchemy.dialects import mysql

from htmengine.repository.status import MetricStatus, OperationLock

metadata: Final = MetaData()

_NOT_SCORED: Final = text("0")
_ON_MYSQL: Final[dict[str, Any]] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
"""Every name can be stored there, and upper and lower case are told apart, as in the other databases."""


def _counter(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, default=0, server_default=_NOT_SCORED)


instance_status_history: Final = Table(
    "instance_status_history",
    metadata,
    Column("server", String(100), primary_key=True, nullable=False, server_default=""),
    Column("timestamp", DateTime, primary_key=True, nullable=False),
    Column("status", String(32), nullable=False, server_default=""),
    **_ON_MYSQL,
)

lock: Final = Table(
    "lock", metadata, Column("name", String(40), primary_key=True, nullable=False), **_ON_MYSQL
)


@event.listens_for(lock, "after_create")
def _seed_lock(table: Table, connection: Connection, **options: Any) -> None:
    connection.execute(insert(table).values(name=OperationLock.METRICS))


_OFTEN_UPDATED: Final = {"fillfactor": 40, "toast_tuple_target": 256}
"""PostgreSQL writes a new version of a row with each update. With room for it on the same page, and no index that knows
of the columns that change, it touches no index and the old one goes away without a vacuum; with long texts elsewhere,
little is written."""
_LAGGING: Final = (
    f"scored_rowid < last_rowid AND status IN ({MetricStatus.ACTIVE:d}, {MetricStatus.CREATE_PENDING:d})"
)
_PENDING: Final = f"status = {MetricStatus.CREATE_PENDING:d}"
NOTABLE_SCORE: Final = 0.99
"""Anomaly scores from here on are indexed; on MySQL, which has no indexes of some rows, all of them are.

Scores lie anywhere: to index each of them writes a page for each, twice, and costs as much as all else that is stored.
"""
NOTABLE_LOG_SCORE: Final = 0.2
"""The same on the log scale."""
_NOTABLE: Final = f"anomaly_score >= {NOTABLE_SCORE}"


def lagging(dialect: Dialect) -> TextClause:
    """Return the condition for a metric with a model and with rows that have no score.

    Written out: an index is used only for the same text. MySQL has no indexes of some rows; there a column tells.
    PostgreSQL reads all metrics: an index would have to be changed with each of their updates, and cost ten times that.
    """
    return text("is_lagging = 1" if dialect.name == "mysql" else _LAGGING)


def pending(dialect: Dialect) -> TextClause:
    """Return the condition for a metric whose model was asked for and is not confirmed."""
    return text(_PENDING)


def notable() -> TextClause:
    """Return the condition for a row with a notable score: beside the condition proper, it leads to the index."""
    return text(_NOTABLE)


def _has_partial_indexes(*arguments: Any, dialect: Dialect, **options: Any) -> bool:
    return dialect.name in ("sqlite", "postgresql")


metric: Final = Table(
    "metric",
    metadata,
    Column("uid", String(40), primary_key=True, nullable=False),
    Column("datasource", String(100)),
    Column("name", String(255)),
    Column("description", String(200)),
    Column("server", String(100)),
    Column("location", String(200)),
    Column("parameters", Text),
    Column("status", Integer, default=0, server_default=text("0")),
    Column("message", Text),
    Column("collector_error", Text),
    Column("last_timestamp", DateTime),
    Column("poll_interval", Integer, default=60, server_default=text("60")),
    Column("tag_name", String(200)),
    Column("model_params", Text),
    Column("last_rowid", Integer, default=0, server_default=text("0")),
    # The engine's own.
    _counter("generation"),  # of the model; grows whenever the metric's model is deleted
    _counter("base_rowid"),  # the last rowid before the first that this generation's model has seen
    _counter("scored_rowid"),  # the watermark: scores are stored for every rowid up to this one
    Column(
        "tail_timestamp", BigInteger
    ),  # timestamp of last_rowid, seconds since the epoch; survives retention
    Column("tail_digest", BigInteger),  # of the samples up to last_rowid: see `identity`
    Column("model_digest", BigInteger),  # of what this generation's model began with
    Index("datasource_idx", "datasource"),
    Index("server_idx", "server"),
    Index("location_idx", "location"),
    Index("name_idx", "name"),
    Index("metric_lagging_idx", "uid", sqlite_where=text(_LAGGING)).ddl_if(dialect="sqlite"),
    Index("metric_pending_idx", "uid", sqlite_where=text(_PENDING), postgresql_where=text(_PENDING)).ddl_if(
        callable_=_has_partial_indexes
    ),
    postgresql_with=_OFTEN_UPDATED,
    **_ON_MYSQL,
)

_MYSQL_INDEXES: Final = (
    "ALTER TABLE metric"
    f" ADD COLUMN is_lagging BOOLEAN GENERATED ALWAYS AS ({_LAGGING}) VIRTUAL,"
    " ADD INDEX metric_lagging_idx (is_lagging, uid), ADD INDEX metric_pending_idx (status, uid)"
)


@event.listens_for(metric, "after_create")
def _index_on_mysql(table: Table, connection: Connection, **options: Any) -> None:
    if connection.dialect.name == "mysql":
        connection.exec_driver_sql(_MYSQL_INDEXES)


metric_data: Final = Table(
    "metric_data",
    metadata,
    Column("uid", String(40), primary_key=True, nullable=False, server_default=""),
    Column("rowid", Integer, primary_key=True, nullable=False, autoincrement=False, server_default=text("0")),
    Column("timestamp", DateTime, nullable=False),
    Column("metric_value", Double, nullable=False),
    Column("raw_anomaly_score", Double),
    Column("anomaly_score", Double),
    Column("display_value", Integer),
    Column("multi_step_best_predictions", Text),
    # The engine's own.
    Column("log_score", Double),
    Column("sequence_score", Double),
    Column("novelty_score", Double),
    Column("digest", BigInteger),  # of the samples up to this row
    ForeignKeyConstraint(
        ["uid"], ["metric.uid"], name="metric_data_to_metric_fk", ondelete="CASCADE", onupdate="CASCADE"
    ),
    Index("timestamp_idx", "timestamp"),
    Index(
        "anomaly_score_idx",
        "anomaly_score",
        sqlite_where=text(_NOTABLE),
        postgresql_where=text(_NOTABLE),
    ),
    **_ON_MYSQL,
)

SCORES: Final = (
    "raw_anomaly_score",
    "anomaly_score",
    "display_value",
    "multi_step_best_predictions",
    "log_score",
    "sequence_score",
    "novelty_score",
)
"""Columns of `metric_data` that a model fills: all of them, or, above the watermark, none."""

installation: Final = Table(
    "installation",  # what is fixed when the repository is created: the number of shards
    metadata,
    Column("name", String(40), primary_key=True, nullable=False),
    Column("setting", String(200), nullable=False),
    **_ON_MYSQL,
)

shard_owner: Final = Table(
    "shard_owner",  # who may write checkpoints of a shard: the owner that raised the epoch last
    metadata,
    Column("shard", Integer, primary_key=True, nullable=False, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    **_ON_MYSQL,
)

backfill: Final = Table(
    "backfill",  # metrics whose history is being sent: their live samples wait in held_sample
    metadata,
    Column("name", String(255), primary_key=True, nullable=False),
    Column("token", String(40), nullable=False),
    Column("renewed_at", BigInteger, nullable=False),  # seconds since the epoch
    **_ON_MYSQL,
)

held_sample: Final = Table(
    "held_sample",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("name", String(255), nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("metric_value", Double, nullable=False),
    Index("held_sample_name_idx", "name"),
    **_ON_MYSQL,
)

checkpoint_metadata: Final = MetaData()
"""Apart from the others: on one machine checkpoints have a file of their own, so that blocks do not bloat the
repository's write-ahead log."""

model_checkpoint: Final = Table(
    "model_checkpoint",
    checkpoint_metadata,
    Column("uid", String(40), primary_key=True, nullable=False),
    Column("generation", Integer, primary_key=True, nullable=False, autoincrement=False),
    Column("last_rowid", Integer, primary_key=True, nullable=False, autoincrement=False),
    Column("shard", Integer, nullable=False),
    Column("written_at", BigInteger, nullable=False),  # seconds since the epoch
    Column("codec", Integer, nullable=False),
    Column("block", LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb"), nullable=False),
    **_ON_MYSQL,
)
