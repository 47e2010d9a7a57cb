"""Labels: what people say of metrics at a time."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "e91b5d70a2c8"
down_revision = "c1d86e0f3a52"

_ON_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Add the table, unless an upgrade that was cut off has: MySQL commits each statement."""
    sa.Table(
        "label",
        sa.MetaData(),
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True
        ),
        sa.Column("uid", sa.String(40)),
        sa.Column("pattern", sa.String(300)),
        sa.Column("begins", sa.BigInteger(), nullable=False),
        sa.Column("ends", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("author", sa.String(100), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger()),
        sa.Index("label_uid_idx", "uid", "begins"),
        sqlite_autoincrement=True,
        **_ON_MYSQL,
    ).create(op.get_bind(), checkfirst=True)
