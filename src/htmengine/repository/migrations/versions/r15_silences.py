"""Silences of metrics, and how regularly each one comes. What is learned begins with the rows that come then."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "6f03b8e2c714"
down_revision = "b27f40c8d913"

_ON_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Add the tables and the column, unless an upgrade that was cut off has: MySQL commits each statement."""
    for table in _tables():
        table.create(op.get_bind(), checkfirst=True)
    known = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("incident_writer")}
    if "silence_seq" not in known:
        op.add_column(
            "incident_writer",
            sa.Column("silence_seq", sa.Integer(), nullable=False, server_default=sa.text("0")),
        )


def _tables() -> list[sa.Table]:
    metadata = sa.MetaData()
    return [
        sa.Table(
            "metric_rhythm",
            metadata,
            sa.Column("uid", sa.String(40), primary_key=True),
            sa.Column("rhythm", sa.Text(), nullable=False),
            **_ON_MYSQL,
        ),
        sa.Table(
            "metric_silence",
            metadata,
            sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
            sa.Column("seq", sa.BigInteger(), nullable=False),
            sa.Column("uid", sa.String(40), nullable=False),
            sa.Column("rowid", sa.Integer(), nullable=False),
            sa.Column("since", sa.BigInteger(), nullable=False),
            sa.Column("value", sa.Double()),
            sa.Column("interval_s", sa.Double(), nullable=False),
            sa.Column("found", sa.BigInteger(), nullable=False),
            sa.Column("until", sa.BigInteger()),
            sa.Index("metric_silence_seq_idx", "seq"),
            sa.Index("metric_silence_uid_idx", "uid", "since"),
            sa.Index("metric_silence_until_idx", "until"),
            **_ON_MYSQL,
        ),
        sa.Table(
            "silence_writer",
            metadata,
            sa.Column("name", sa.String(40), primary_key=True),
            sa.Column("silence_id", sa.BigInteger(), nullable=False),
            sa.Column("seq", sa.BigInteger(), nullable=False),
            sa.Column("owner", sa.String(80), nullable=False),
            sa.Column("beat", sa.BigInteger(), nullable=False),
            **_ON_MYSQL,
        ),
    ]
