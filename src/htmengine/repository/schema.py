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
    event,
    insert,
    text,
)
from sqlalchemy.dialects import mysql

from htmengine.repository.status import MetricStatus, OperationLock

metadata: Final = MetaData()

_NOT_SCORED: Final = text("0")


def _counter(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, default=0, server_default=_NOT_SCORED)


instance_status_history: Final = Table(
    "instance_status_history",
    metadata,
    Column("server", String(100), primary_key=True, nullable=False, server_default=""),
    Column("timestamp", DateTime, primary_key=True, nullable=False),
    Column("status", String(32), nullable=False, server_default=""),
)

lock: Final = Table("lock", metadata, Column("name", String(40), primary_key=True, nullable=False))


@event.listens_for(lock, "after_create")
def _seed_lock(table: Table, connection: Connection, **options: Any) -> None:
    connection.execute(insert(table).values(name=OperationLock.METRICS))


LAGGING: Final = text(
    f"scored_rowid < last_rowid AND status IN ({MetricStatus.ACTIVE:d}, {MetricStatus.CREATE_PENDING:d})"
)
"""A metric with a model and with rows that have no score. Written out: an index is used only for the same text."""
PENDING: Final = text(f"status = {MetricStatus.CREATE_PENDING:d}")


def _has_partial_indexes(
    ddl: Any,
    target: Any,
    bind: Any,
    tables: Any = None,
    state: Any = None,
    *,
    dialect: Dialect,
    **options: Any,
) -> bool:
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
    Index("datasource_idx", "datasource"),
    Index("server_idx", "server"),
    Index("location_idx", "location"),
    Index("name_idx", "name"),
    Index("metric_lagging_idx", "uid", sqlite_where=LAGGING, postgresql_where=LAGGING).ddl_if(
        callable_=_has_partial_indexes
    ),
    Index("metric_pending_idx", "uid", sqlite_where=PENDING, postgresql_where=PENDING).ddl_if(
        callable_=_has_partial_indexes
    ),
)

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
    ForeignKeyConstraint(
        ["uid"], ["metric.uid"], name="metric_data_to_metric_fk", ondelete="CASCADE", onupdate="CASCADE"
    ),
    Index("timestamp_idx", "timestamp"),
    Index("anomaly_score_idx", "anomaly_score"),
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
)

shard_owner: Final = Table(
    "shard_owner",  # who may write checkpoints of a shard: the owner that raised the epoch last
    metadata,
    Column("shard", Integer, primary_key=True, nullable=False, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
)

backfill: Final = Table(
    "backfill",  # metrics whose history is being sent: their live samples wait in held_sample
    metadata,
    Column("name", String(255), primary_key=True, nullable=False),
    Column("token", String(40), nullable=False),
    Column("renewed_at", BigInteger, nullable=False),  # seconds since the epoch
)

held_sample: Final = Table(
    "held_sample",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("name", String(255), nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("metric_value", Double, nullable=False),
    Index("held_sample_name_idx", "name"),
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
)
