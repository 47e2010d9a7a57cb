"""Forecast and usual values beside the scores, alarms, and hourly sums.

Rows that are there stay without forecast, and are not rewritten. Those that alarm get their alarms, without reason; hours
are summed up later, little by little: see `htmengine.repository.hours`.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "f1a6c2e97d30"
down_revision = "e83b5d0f9c17"

_ON_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
_ALARM = 0.5
_NOTABLE = "anomaly_score >= 0.99"
_LOCK = "alarms"
_MERGE_ROWS = 10
"""Rows that alarm are of one alarm if at most so many lie from one to the next."""


def upgrade() -> None:
    """Add what is missing, unless an upgrade that was cut off has: MySQL commits each statement."""
    bind = op.get_bind()
    inspector = sa.inspect(bind)
    known = {column["name"] for column in inspector.get_columns("metric_data")}
    if new := [name for name in ("forecast", "usual_low", "usual_high") if name not in known]:
        single = (mysql.FLOAT() if bind.dialect.name == "mysql" else sa.REAL()).compile(bind.dialect)
        if bind.dialect.name == "sqlite":  # which adds one column at a time
            for name in new:
                op.execute(f"ALTER TABLE metric_data ADD COLUMN {name} {single}")
        else:
            columns = ", ".join(f"ADD COLUMN {name} {single}" for name in new)
            op.execute(f"ALTER TABLE metric_data {columns}")
    if "hourly_rowid" not in {column["name"] for column in inspector.get_columns("metric")}:
        column = sa.Column("hourly_rowid", sa.Integer(), nullable=False, server_default=sa.text("0"))
        op.add_column("metric", column)
    lock = sa.table("lock", sa.column("name"))
    if bind.execute(sa.select(lock.c.name).where(lock.c.name == _LOCK)).first() is None:
        bind.execute(sa.insert(lock).values(name=_LOCK))
    for table in _tables():
        table.create(bind, checkfirst=True)
    _fill_alarms(bind)


def _tables() -> list[sa.Table]:
    metadata = sa.MetaData()
    sa.Table("metric", metadata, sa.Column("uid", sa.String(40), primary_key=True))
    single: Any = sa.REAL().with_variant(mysql.FLOAT(), "mysql", "mariadb")
    return [
        sa.Table(
            "metric_alarm",
            metadata,
            sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
            sa.Column("uid", sa.String(40), nullable=False),
            sa.Column("rowid", sa.Integer(), nullable=False),
            sa.Column("first_rowid", sa.Integer(), nullable=False),
            sa.Column("timestamp", sa.DateTime(), nullable=False),
            sa.Column("metric_value", sa.Double(), nullable=False),
            sa.Column("log_score", sa.Double(), nullable=False),
            sa.Column("peak", sa.Double(), nullable=False),
            sa.Column("one_in", sa.Double()),
            sa.Column("cause", sa.String(20)),
            sa.Column("channel", sa.String(20)),
            sa.Column("direction", sa.String(10)),
            sa.Column("forecast", single),
            sa.Column("usual_low", single),
            sa.Column("usual_high", single),
            sa.Column("why", sa.Text()),
            sa.ForeignKeyConstraint(
                ["uid"],
                ["metric.uid"],
                name="metric_alarm_to_metric_fk",
                ondelete="CASCADE",
                onupdate="CASCADE",
            ),
            sa.Index("metric_alarm_row_idx", "uid", "rowid", unique=True),
            sa.Index("metric_alarm_time_idx", "timestamp", "uid", "rowid"),
            sqlite_autoincrement=True,
            **_ON_MYSQL,
        ),
        sa.Table(
            "metric_hour",
            metadata,
            sa.Column("uid", sa.String(40), primary_key=True),
            sa.Column("hour", sa.BigInteger(), primary_key=True, autoincrement=False),
            sa.Column("last_rowid", sa.Integer(), nullable=False),
            sa.Column("samples", sa.Integer(), nullable=False),
            sa.Column("min_value", sa.Double(), nullable=False),
            sa.Column("mean_value", sa.Double(), nullable=False),
            sa.Column("max_value", sa.Double(), nullable=False),
            sa.Column("max_log_score", sa.Double()),
            sa.Column("alarms", sa.Integer(), nullable=False),
            sa.ForeignKeyConstraint(
                ["uid"],
                ["metric.uid"],
                name="metric_hour_to_metric_fk",
                ondelete="CASCADE",
                onupdate="CASCADE",
            ),
            sqlite_with_rowid=False,
            **_ON_MYSQL,
        ),
    ]


def _fill_alarms(bind: sa.Connection) -> None:
    """Give an alarm to each row that alarms, in the order of time; the index of the scores leads to them."""
    alarm, data = (
        sa.table(name, *map(sa.column, ("uid", "rowid", "timestamp", "metric_value", "log_score", *others)))
        for name, others in (("metric_alarm", ("first_rowid", "peak")), ("metric_data", ()))
    )
    if bind.execute(sa.select(alarm.c.uid).limit(1)).first():
        return
    query = (
        sa.select(data)
        .where(sa.text(_NOTABLE), data.c.log_score >= _ALARM)
        .order_by(data.c.timestamp, data.c.uid, data.c.rowid)
    )
    last: dict[str, tuple[int, int, float]] = {}
    new = []
    for row in bind.execute(query):
        before, first, peak = last.get(row.uid, (0, 0, 0.0))
        if not before or row.rowid - before > _MERGE_ROWS:
            first, peak = row.rowid, 0.0
        peak = max(peak, row.log_score)
        last[row.uid] = row.rowid, first, peak
        new.append({**row._mapping, "first_rowid": first, "peak": peak})
    if new:
        bind.execute(sa.insert(alarm), new)
