"""How far scores were written back to other stores, and who does it."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "e52b90d7c418"
down_revision = "e91b5d70a2c8"

_ON_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Add the tables, unless an upgrade that was cut off has: MySQL commits each statement."""
    metadata = sa.MetaData()
    writer = sa.Table(
        "writeback_writer",
        metadata,
        sa.Column("receiver", sa.String(20), primary_key=True),
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        **_ON_MYSQL,
    )
    position = sa.Table(
        "writeback_position",
        metadata,
        sa.Column("receiver", sa.String(20), primary_key=True),
        sa.Column("uid", sa.String(40), primary_key=True),
        sa.Column("rowid", sa.Integer(), nullable=False),
        sqlite_with_rowid=False,
        **_ON_MYSQL,
    )
    for table in (writer, position):
        table.create(op.get_bind(), checkfirst=True)
