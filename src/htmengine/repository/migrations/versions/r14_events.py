"""Events, such as deployments, which other programs tell of."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "c1d86e0f3a52"
down_revision = "6f03b8e2c714"

_ON_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Add the table, unless an upgrade that was cut off has: MySQL commits each statement."""
    table = sa.Table(
        "fleet_event",
        sa.MetaData(),
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.String(255), nullable=False),
        sa.Column("tags", sa.String(255), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Index("fleet_event_at_idx", "at"),
        sqlite_autoincrement=True,
        **_ON_MYSQL,
    )
    table.create(op.get_bind(), checkfirst=True)
