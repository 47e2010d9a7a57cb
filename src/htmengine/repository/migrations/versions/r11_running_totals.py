"""What was last known of running totals, from which rates are made."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "8e41c5a90b27"
down_revision = "3d9b62f7a184"

_ON_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Add the table, unless an upgrade that was cut off has: MySQL commits each statement."""
    metadata = sa.MetaData()
    sa.Table(
        "running_total",
        metadata,
        sa.Column("name", sa.String(255), primary_key=True, nullable=False),
        sa.Column("state", sa.String(200), nullable=False),
        **_ON_MYSQL,
    )
    metadata.create_all(op.get_bind(), checkfirst=True)
