"""What people did about incidents, and what is told of them to whom."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "b27f40c8d913"
down_revision = "8e41c5a90b27"

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
            "incident_action",
            metadata,
            sa.Column(
                "id",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                primary_key=True,
                autoincrement=True,
            ),
            sa.Column("incident", sa.BigInteger(), nullable=False),
            sa.Column("at", sa.BigInteger(), nullable=False),
            sa.Column("actor", sa.String(100), nullable=False),
            sa.Column("action", sa.String(12), nullable=False),
            sa.Column("until", sa.BigInteger()),
            sa.Column("verdict", sa.String(12)),
            sa.Column("note", sa.Text(), nullable=False),
            sa.Index("incident_action_idx", "incident", "id"),
            **_ON_MYSQL,
        ),
        sa.Table(
            "alert_delivery",
            metadata,
            sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
            sa.Column("incident", sa.BigInteger()),
            sa.Column("target", sa.String(60), nullable=False),
            sa.Column("rule", sa.String(60), nullable=False),
            sa.Column("kind", sa.String(10), nullable=False),
            sa.Column("severity", sa.String(10), nullable=False),
            sa.Column("state", sa.String(12), nullable=False),
            sa.Column("reason", sa.Text()),
            sa.Column("created", sa.BigInteger(), nullable=False),
            sa.Column("tries", sa.Integer(), nullable=False),
            sa.Column("due", sa.Double()),
            sa.Column("done", sa.BigInteger()),
            sa.Column("notice", sa.Text(), nullable=False),
            sa.Index("alert_delivery_due_idx", "due"),
            sa.Index("alert_delivery_incident_idx", "incident", "target", "id"),
            sa.Index("alert_delivery_created_idx", "created"),
            **_ON_MYSQL,
        ),
        sa.Table(
            "alert_writer",
            metadata,
            sa.Column("name", sa.String(40), primary_key=True),
            sa.Column("seq", sa.BigInteger(), nullable=False),
            sa.Column("delivery_id", sa.BigInteger(), nullable=False),
            sa.Column("owner", sa.String(80), nullable=False),
            sa.Column("beat", sa.BigInteger(), nullable=False),
            **_ON_MYSQL,
        ),
        sa.Table(
            "alert_target",
            metadata,
            sa.Column("name", sa.String(60), primary_key=True),
            sa.Column("disabled_at", sa.BigInteger(), nullable=False),
            sa.Column("reason", sa.Text(), nullable=False),
            **_ON_MYSQL,
        ),
    ]
