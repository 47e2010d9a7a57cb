"""Incidents. The alarms that are there are put into incidents by the service that writes them."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "5c9e27d4b816"
down_revision = "f1a6c2e97d30"

_ON_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Add the tables, unless an upgrade that was cut off has: MySQL commits each statement."""
    for table in _tables():
        table.create(op.get_bind(), checkfirst=True)


def _tables() -> list[sa.Table]:
    metadata = sa.MetaData()
    return [
        sa.Table(
            "incident",
            metadata,
            sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
            sa.Column("seq", sa.BigInteger(), nullable=False),
            sa.Column("merged_into", sa.BigInteger()),
            sa.Column("opened", sa.BigInteger(), nullable=False),
            sa.Column("changed", sa.BigInteger(), nullable=False),
            sa.Column("ends", sa.BigInteger(), nullable=False),
            sa.Column("resolved", sa.BigInteger()),
            sa.Column("metrics", sa.Integer(), nullable=False),
            sa.Column("alarms", sa.Integer(), nullable=False),
            sa.Column("peak", sa.Double(), nullable=False),
            sa.Index("incident_seq_idx", "seq"),
            sa.Index("incident_merged_idx", "merged_into"),
            sa.Index("incident_ends_idx", "resolved", "ends"),
            sa.Index("incident_changed_idx", "changed", "id"),
            **_ON_MYSQL,
        ),
        sa.Table(
            "incident_metric",
            metadata,
            sa.Column("incident", sa.BigInteger(), primary_key=True, autoincrement=False),
            sa.Column("uid", sa.String(40), primary_key=True),
            sa.Column("name", sa.String(255), nullable=False),
            sa.Column("first", sa.BigInteger(), nullable=False),
            sa.Column("last", sa.BigInteger(), nullable=False),
            sa.Column("alarms", sa.Integer(), nullable=False),
            sa.Column("rowid", sa.Integer(), nullable=False),
            sa.Column("peak", sa.Double(), nullable=False),
            sa.Column("time", sa.BigInteger(), nullable=False),
            sa.Column("value", sa.Double(), nullable=False),
            sa.Column("one_in", sa.Double()),
            sa.Column("cause", sa.String(20)),
            sa.Column("direction", sa.String(10)),
            sa.Column("why", sa.Text()),
            sa.Index("incident_metric_idx", "uid", "last"),
            **_ON_MYSQL,
        ),
        sa.Table(
            "incident_alarm",
            metadata,
            sa.Column("uid", sa.String(40), primary_key=True),
            sa.Column("rowid", sa.Integer(), primary_key=True, autoincrement=False),
            sa.Column("timestamp", sa.BigInteger(), nullable=False),
            sa.Column("interval_s", sa.Double(), nullable=False),
            sa.Column("one_in", sa.Double(), nullable=False),
            sa.Column("incident", sa.BigInteger(), nullable=False),
            sa.Index("incident_alarm_time_idx", "timestamp"),
            sa.Index("incident_alarm_idx", "incident"),
            **_ON_MYSQL,
        ),
        sa.Table(
            "incident_writer",
            metadata,
            sa.Column("name", sa.String(40), primary_key=True),
            sa.Column("alarm_id", sa.BigInteger(), nullable=False),
            sa.Column("incident_id", sa.BigInteger(), nullable=False),
            sa.Column("seq", sa.BigInteger(), nullable=False),
            sa.Column("slowest_s", sa.Double(), nullable=False),
            sa.Column("owner", sa.String(80), nullable=False),
            sa.Column("beat", sa.BigInteger(), nullable=False),
            **_ON_MYSQL,
        ),
    ]
