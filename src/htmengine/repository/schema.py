"""The tables: those of the documented schema, column for column, and what the engine adds to them.

An application written for the documented schema goes on working: every column of ours is nullable or has a default in
the database, and no documented column changed its name, type or meaning.
"""

from typing import Any, Final

from sqlalchemy import (
    REAL,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Double,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TextClause,
    and_,
    event,
    func,
    insert,
    literal_column,
    text,
    type_coerce,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

from htmengine.repository.embedded import tables as embedded
from htmengine.repository.status import MetricStatus, OperationLock

metadata: Final = MetaData()

_NOT_SCORED: Final = text("0")
_ON_MYSQL: Final[dict[str, Any]] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
"""Every name can be stored there, and upper and lower case differ, as in the other databases."""


class Single(TypeDecorator[float]):
    """A 32-bit float: half the bytes of a Double on servers. Values come back bit for bit; give it rounded ones."""

    impl = Float
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[float]:
        """Return the database's own type; REAL has 64 bits on MySQL."""
        own: TypeEngine[Any] = REAL()
        if dialect.name == "mysql":
            from sqlalchemy.dialects import mysql

            own = mysql.FLOAT()
        return own

    def column_expression(self, column: ColumnElement[float]) -> ColumnElement[float]:
        """Return what is selected: servers print a 32-bit float with fewer digits than a 64-bit one has."""
        wide: ColumnElement[float] = type_coerce(column, Double) * literal_column("1e0")
        return wide


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
    names = OperationLock.METRICS, OperationLock.ALARMS, OperationLock.TEACHINGS
    connection.execute(insert(table), [{"name": name} for name in names])


_OFTEN_UPDATED: Final = {"fillfactor": 40, "toast_tuple_target": 256}
"""PostgreSQL writes a new version of a row with each update. With room for it on the same page, and no index that knows
of the columns that change, it touches no index and the old one goes away without a vacuum; with long texts elsewhere,
little is written."""
_PENDING: Final = f"status = {MetricStatus.CREATE_PENDING:d}"
NOTABLE_SCORE: Final = 0.99
"""Anomaly scores from here on are indexed; on MySQL, which has no indexes of some rows, all of them are.

Scores lie anywhere: to index each of them writes a page for each, twice, and costs as much as all else that is stored.
"""
NOTABLE_LOG_SCORE: Final = 0.2
"""The same on the log scale."""
ALARM_LOG_SCORE: Final = 0.5
"""A row with this log score or a higher one alarms."""
_NOTABLE: Final = f"anomaly_score >= {NOTABLE_SCORE}"


def pending() -> TextClause:
    """Return the condition for a metric whose model was asked for and is not confirmed.

    Written out: an index is used only for the same text.
    """
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
    Column(
        "tail_timestamp", BigInteger
    ),  # timestamp of last_rowid, seconds since the epoch; survives retention
    Column("tail_digest", BigInteger),  # of the samples up to last_rowid: see `identity`
    Column("model_digest", BigInteger),  # of what this generation's model began with
    Index("datasource_idx", "datasource"),
    Index("server_idx", "server"),
    Index("location_idx", "location"),
    Index("name_idx", "name"),
    Index(
        "metric_pending_idx", "uid", sqlite_where=text(_PENDING), info={"postgresql_where": text(_PENDING)}
    ).ddl_if(callable_=_has_partial_indexes),
    info={"postgresql_with": _OFTEN_UPDATED},
)


@event.listens_for(metric, "after_create")
def _index_on_mysql(table: Table, connection: Connection, **options: Any) -> None:
    if connection.dialect.name == "mysql":  # which has no indexes of some rows
        connection.exec_driver_sql("ALTER TABLE metric ADD INDEX metric_pending_idx (status, uid)")


metric_watermark: Final = Table(
    # How far the scores of a metric are. Apart from `metric`, so that who stores rows and who stores their scores never wait
    # for each other on servers, and little is written for a batch of scores on SQLite. On servers a metric that never had a
    # model may have no row: `scored_rowid` counts it as 0.
    "metric_watermark",
    metadata,
    Column("uid", String(40), primary_key=True, nullable=False),
    _counter("generation"),  # the metric's
    _counter("scored_rowid"),  # the watermark: scores are stored for every rowid up to this one
    _counter("hourly_rowid"),  # the rows up to this one are summed up in metric_hour
    ForeignKeyConstraint(
        ["uid"], ["metric.uid"], name="metric_watermark_to_metric_fk", ondelete="CASCADE", onupdate="CASCADE"
    ),
    info={"postgresql_with": {"fillfactor": _OFTEN_UPDATED["fillfactor"]}},
)


scored_rowid: Final[ColumnElement[int]] = func.coalesce(metric_watermark.c.scored_rowid, 0)
"""Of a metric, in a query of `watermarked`; this and the next one."""
hourly_rowid: Final[ColumnElement[int]] = func.coalesce(metric_watermark.c.hourly_rowid, 0)
watermarked: Final = metric.outerjoin(metric_watermark, metric_watermark.c.uid == metric.c.uid)
"""Metrics beside their watermarks."""


def lagging() -> ColumnElement[bool]:
    """Return the condition for a metric with a model and with rows that have no score, in a query of `watermarked`.

    No index finds these: to keep one costs more for each row than to look at all metrics now and then.
    """
    with_rows = MetricStatus.ACTIVE, MetricStatus.CREATE_PENDING
    return and_(metric.c.status.in_(with_rows), scored_rowid < func.coalesce(metric.c.last_rowid, 0))


metric_data: Final = Table(
    "metric_data",
    metadata,
    Column("uid", String(40), primary_key=True, nullable=False, server_default=""),
    Column("rowid", Integer, primary_key=True, nullable=False, autoincrement=False, server_default=text("0")),
    Column("timestamp", DateTime, nullable=False, info={"sqlite_epoch": "time"}),
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
    Column("forecast", Single),  # what the model expected of this row
    Column("usual_low", Single),  # 99 of 100 values lie between these two
    Column("usual_high", Single),
    ForeignKeyConstraint(
        ["uid"], ["metric.uid"], name="metric_data_to_metric_fk", ondelete="CASCADE", onupdate="CASCADE"
    ),
    Index("timestamp_idx", "timestamp"),
    Index(
        "anomaly_score_idx",
        "anomaly_score",
        sqlite_where=text(_NOTABLE),
        info={"postgresql_where": text(_NOTABLE)},
    ),
)


@event.listens_for(metric_data, "after_create")
def _runs_on_sqlite(table: Table, connection: Connection, **options: Any) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"DROP TABLE {table.name}")
        embedded.create(connection)


recent_row: Final = metric_data.to_metadata(MetaData(), name="recent_row")
"""A view that SQLite has: rows that are not in blocks."""

SCORES: Final = embedded.SCORES
"""Columns of `metric_data` that a model fills, above the watermark none of them. The last three stay NULL where the model
has no forecast yet or makes none."""

metric_alarm: Final = Table(
    "metric_alarm",  # a row for each sample that alarms, written with its scores; kept when the sample is removed
    metadata,
    # The order in which alarms were stored: see `alarms.alarms_since`.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("uid", String(40), nullable=False),
    Column("rowid", Integer, nullable=False),
    Column("first_rowid", Integer, nullable=False),  # the row with which the alarm began
    Column("timestamp", DateTime, nullable=False),
    Column("metric_value", Double, nullable=False),
    Column("log_score", Double, nullable=False),
    Column("peak", Double, nullable=False),  # the highest log score of the alarm up to this row
    Column("one_in", Double),
    Column("cause", String(20)),
    Column("channel", String(20)),
    Column("direction", String(10)),
    Column("forecast", Single),
    Column("usual_low", Single),
    Column("usual_high", Single),
    Column("why", Text),  # JSON, as it is published
    ForeignKeyConstraint(
        ["uid"], ["metric.uid"], name="metric_alarm_to_metric_fk", ondelete="CASCADE", onupdate="CASCADE"
    ),
    Index("metric_alarm_row_idx", "uid", "rowid", unique=True),
    Index("metric_alarm_time_idx", "timestamp", "uid", "rowid"),
    sqlite_autoincrement=True,  # an id is not given again when its alarm is removed
)

metric_hour: Final = Table(
    "metric_hour",  # the scored rows of each hour summed up, kept when the rows are removed
    metadata,
    Column("uid", String(40), primary_key=True, nullable=False),
    Column(
        "hour", BigInteger, primary_key=True, nullable=False, autoincrement=False
    ),  # when it begins: epoch
    Column("last_rowid", Integer, nullable=False),
    Column("samples", Integer, nullable=False),
    Column("min_value", Double, nullable=False),
    Column("mean_value", Double, nullable=False),
    Column("max_value", Double, nullable=False),
    Column("max_log_score", Double),
    Column("alarms", Integer, nullable=False),  # rows that alarm
    ForeignKeyConstraint(
        ["uid"], ["metric.uid"], name="metric_hour_to_metric_fk", ondelete="CASCADE", onupdate="CASCADE"
    ),
    sqlite_with_rowid=False,
)

metric_rhythm: Final = Table(
    "metric_rhythm",  # how regularly a metric comes, as far as that was learned
    metadata,
    Column("uid", String(40), primary_key=True, nullable=False),
    Column("rhythm", Text, nullable=False),  # JSON: `htmengine.silence.rhythm`
)

metric_silence: Final = Table(
    "metric_silence",  # when a metric sent nothing for longer than is usual
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),  # in the order in which they were found
    Column("seq", BigInteger, nullable=False),  # of the change that found or ended it: `silence_writer`
    Column("uid", String(40), nullable=False),
    Column("rowid", Integer, nullable=False),  # of the last row before it
    Column("since", BigInteger, nullable=False),  # timestamp of that; times are seconds since the epoch
    Column("value", Double),  # of that row; NULL where the row is gone
    Column("interval_s", Double, nullable=False),  # usual time from a sample to the next
    Column("found", BigInteger, nullable=False),  # when the next sample was overdue
    Column("until", BigInteger),  # timestamp of the first row behind it; NULL while it lasts
    Index("metric_silence_seq_idx", "seq"),
    Index("metric_silence_uid_idx", "uid", "since"),
    Index("metric_silence_until_idx", "until"),
)

silence_writer: Final = Table(
    "silence_writer",  # one row: the newest silence, and who looks for them
    metadata,
    Column("name", String(40), primary_key=True, nullable=False),
    Column("silence_id", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),  # grows with each transaction that finds or ends silences
    Column("owner", String(80), nullable=False),
    Column("beat", BigInteger, nullable=False),  # grows while the owner lives
)

label: Final = Table(
    "label",  # what people say of metrics at a time
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("uid", String(40)),  # of a metric; or
    Column("pattern", String(300)),  # of names, as in a shell
    Column("begins", BigInteger, nullable=False),  # both included; times are seconds since the epoch
    Column("ends", BigInteger, nullable=False),
    Column("kind", String(10), nullable=False),  # normal, anomaly or ignore
    Column("note", Text, nullable=False),
    Column("author", String(100), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger),
    Index("label_uid_idx", "uid", "begins"),
    sqlite_autoincrement=True,  # an id is not given again
)

teaching: Final = Table(
    "teaching",  # what people have taught models: rows are added, never changed; an undoing is a row of its own
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("uid", String(40), nullable=False),
    Column("label", BigInteger, nullable=False),  # which says so
    Column("how", String(10), nullable=False),  # values, times or forget; undo: the label counts no longer
    Column("begins", BigInteger, nullable=False),  # both included; times are seconds since the epoch
    Column("ends", BigInteger, nullable=False),
    Column("low", Double),  # values: the least and the greatest of the span
    Column("high", Double),
    Column("needed", Double),  # times: the log score that an alarm needs
    Column("effective_rowid", BigInteger, nullable=False),  # of the first row for which it counts
    Column("expires", BigInteger, nullable=False),  # it counts for samples before this time
    Column("author", String(100), nullable=False),
    Column("created", BigInteger, nullable=False),
    Index("teaching_uid_idx", "uid"),
    sqlite_autoincrement=True,  # an id is not given again
)

silenced_alarm: Final = Table(
    "silenced_alarm",  # rows that would have alarmed, had nobody taught that it is normal
    metadata,
    Column("uid", String(40), primary_key=True, nullable=False),
    Column("rowid", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("label", BigInteger, nullable=False),
    Column("timestamp", BigInteger, nullable=False),  # seconds since the epoch
    Index("silenced_alarm_label_idx", "label"),
)

access_token: Final = Table(
    "access_token",  # who may use the web server
    metadata,
    Column("id", String(16), primary_key=True, nullable=False),
    Column("name", String(100), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),  # SHA-256 of the secret, in hexadecimal
    Column("scopes", String(100), nullable=False),  # names with blanks between them
    Column("created_at", BigInteger, nullable=False),  # seconds since the epoch, as are all of these
    Column("created_by", String(100), nullable=False),
    Column("last_used_at", BigInteger),
)

web_session: Final = Table(
    "web_session",  # browsers that have shown a token
    metadata,
    Column("digest", String(64), primary_key=True, nullable=False),  # SHA-256 of the cookie's value
    Column("token_id", String(16), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

installation: Final = Table(
    "installation",  # what holds for all of it: the number of shards; whether a SQLite file compresses its older rows
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

incident: Final = Table(
    "incident",  # alarms that belong together; one that was joined to an earlier one stays, and names it
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),  # never given again
    Column("seq", BigInteger, nullable=False),  # of the change that changed it last: `incident_writer`
    Column("merged_into", BigInteger),
    Column("opened", BigInteger, nullable=False),  # times: seconds since the epoch, by the samples
    Column("changed", BigInteger, nullable=False),  # its newest alarm
    Column("ends", BigInteger, nullable=False),  # when it is over unless another alarm comes
    Column("resolved", BigInteger),  # when it was over; NULL while it is open
    Column("metrics", Integer, nullable=False),
    Column("alarms", Integer, nullable=False),
    Column("peak", Double, nullable=False),  # its highest log score
    Index("incident_seq_idx", "seq"),
    Index("incident_merged_idx", "merged_into"),
    Index("incident_ends_idx", "resolved", "ends"),
    Index("incident_changed_idx", "changed", "id"),
)

incident_metric: Final = Table(
    "incident_metric",  # what an incident has of each metric; kept when the metric is deleted
    metadata,
    Column("incident", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("uid", String(40), primary_key=True, nullable=False),
    Column("name", String(255), nullable=False),
    Column("first", BigInteger, nullable=False),  # its first and its last alarm
    Column("last", BigInteger, nullable=False),
    Column("alarms", Integer, nullable=False),
    Column("rowid", Integer, nullable=False),  # of its strongest alarm, as all that follows
    Column("peak", Double, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("value", Double, nullable=False),
    Column("one_in", Double),
    Column("cause", String(20)),
    Column("direction", String(10)),
    Column("why", Text),  # JSON, as it is published
    Index("incident_metric_idx", "uid", "last"),
)

incident_alarm: Final = Table(
    "incident_alarm",  # the incident of each alarm
    metadata,
    Column("uid", String(40), primary_key=True, nullable=False),
    Column("rowid", Integer, primary_key=True, nullable=False, autoincrement=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("interval_s", Double, nullable=False),  # usual time from a sample of the metric to the next
    Column("one_in", Double, nullable=False),  # one in how many of its samples is as unusual; 0: not known
    Column("incident", BigInteger, nullable=False),
    Index("incident_alarm_time_idx", "timestamp"),
    Index("incident_alarm_idx", "incident"),
)

incident_writer: Final = Table(
    "incident_writer",  # one row: how far the incidents are, and who writes them
    metadata,
    Column("name", String(40), primary_key=True, nullable=False),
    Column("alarm_id", BigInteger, nullable=False),  # the alarms up to this one are in incidents
    Column("incident_id", BigInteger, nullable=False),  # the newest
    Column("seq", BigInteger, nullable=False),  # grows with each transaction that changes incidents
    Column("slowest_s", Double, nullable=False),  # longest interval of an alarm so far
    Column("owner", String(80), nullable=False),
    Column("beat", BigInteger, nullable=False),  # grows while the owner lives
    _counter("silence_seq"),  # the silences up to this change are in incidents
)

incident_action: Final = Table(
    "incident_action",  # what people did about incidents, in its order; rows are only added
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("incident", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),  # seconds since the epoch
    Column("actor", String(100), nullable=False),
    Column("action", String(12), nullable=False),
    Column("until", BigInteger),  # of a snooze
    Column("verdict", String(12)),
    Column("note", Text, nullable=False),
    Index("incident_action_idx", "incident", "id"),
)

alert_delivery: Final = Table(
    "alert_delivery",  # the outbox: what is told to each target, and what came of it
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),  # never given again: `alert_writer`
    Column("incident", BigInteger),  # NULL where it is about the engine
    Column("target", String(60), nullable=False),
    Column("rule", String(60), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("severity", String(10), nullable=False),
    Column("state", String(12), nullable=False),
    Column("reason", Text),  # why it was not sent, or not yet; or what the receiver said
    Column("created", BigInteger, nullable=False),  # seconds since the epoch, as are all of these
    Column("tries", Integer, nullable=False),
    Column("due", Double),  # when it is tried next; NULL where nothing is left to do
    Column("done", BigInteger),  # when it was delivered or given up
    Column("notice", Text, nullable=False),  # JSON
    Index("alert_delivery_due_idx", "due"),
    Index("alert_delivery_incident_idx", "incident", "target", "id"),
    Index("alert_delivery_created_idx", "created"),
)

alert_writer: Final = Table(
    "alert_writer",  # one row: how far the outbox is, and who writes and sends it
    metadata,
    Column("name", String(40), primary_key=True, nullable=False),
    Column("seq", BigInteger, nullable=False),  # changes of incidents up to this one are in the outbox
    Column("delivery_id", BigInteger, nullable=False),  # the newest
    Column("owner", String(80), nullable=False),
    Column("beat", BigInteger, nullable=False),  # grows while the owner lives
)

alert_target: Final = Table(
    "alert_target",  # targets that want nothing any more
    metadata,
    Column("name", String(60), primary_key=True, nullable=False),
    Column("disabled_at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
)

fleet_event: Final = Table(
    "fleet_event",  # what programs and people did to the fleet, such as deployments: shown with its metrics
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),  # seconds since the epoch
    Column("what", String(255), nullable=False),
    Column("tags", String(255), nullable=False),  # with a blank before and behind each
    Column("data", Text, nullable=False),
    Column("actor", String(100), nullable=False),
    Index("fleet_event_at_idx", "at"),
    sqlite_autoincrement=True,  # an id is not given again
)

writeback_writer: Final = Table(
    "writeback_writer",  # a row for each receiver of scores: who writes to it
    metadata,
    Column("receiver", String(20), primary_key=True, nullable=False),
    Column("owner", String(80), nullable=False),
    Column("beat", BigInteger, nullable=False),  # grows while the owner lives
)

writeback_position: Final = Table(
    "writeback_position",  # by metric, the last row that a receiver has
    metadata,
    Column("receiver", String(20), primary_key=True, nullable=False),
    Column("uid", String(40), primary_key=True, nullable=False),
    Column("rowid", Integer, nullable=False),
    sqlite_with_rowid=False,
)

running_total: Final = Table(
    "running_total",  # the newest value of each counter that comes as one; its metric may have no row yet
    metadata,
    Column("name", String(255), primary_key=True, nullable=False),
    Column("state", String(200), nullable=False),  # JSON: time, value, count, whether the series has ended
)

gathered_sample: Final = Table(
    "gathered_sample",  # samples that wait for the end of their interval, or for others that come late
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("name", String(255), nullable=False),
    Column("source", String(255), nullable=False),  # the name as sent, before rules changed it
    Column("timestamp", BigInteger, nullable=False),
    Column("metric_value", Double, nullable=False),
    Index("gathered_sample_time_idx", "name", "timestamp"),
)

_LONGBLOB: Final = 1 << 24
"""Bytes for which MySQL takes this type: one more than a MEDIUMBLOB holds."""
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
    Column("block", LargeBinary(_LONGBLOB), nullable=False),
)


def _options_of_servers(table: Table, connection: Connection, **options: Any) -> None:
    """Give a table the options of servers before it is made there.

    From the start they would have SQLAlchemy import the dialects of all servers: longer than all tables take.
    """
    if connection.dialect.name != "sqlite":
        table.dialect_kwargs.update({**_ON_MYSQL, **table.info})
        for index in table.indexes:
            index.dialect_kwargs.update(index.info)


for _table in (*metadata.sorted_tables, *checkpoint_metadata.sorted_tables):
    event.listen(_table, "before_create", _options_of_servers)
