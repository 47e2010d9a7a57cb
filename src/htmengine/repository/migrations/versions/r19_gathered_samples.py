"""Samples that wait for the end of their interval, or for others that come late."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "c4d7a19be350"
down_revision = "e52b90d7c418"

_ON_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Add the table, unless an upgrade that was cut off has: MySQL commits each statement."""
    metadata = sa.MetaData()
    sa.Table(
        "gathered_sample",
        metadata,
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
        ),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("source", sa.String(255), nullable=False),
        sa.Column("timestamp", sa.BigInteger, nullable=False),
        sa.Column("metric_value", sa.Double(), nullable=False),
        sa.Index("gathered_sample_name_idx", "name"),
        **_ON_MYSQL,
    )
    metadata.create_all(op.get_bind(), checkfirst=True)
