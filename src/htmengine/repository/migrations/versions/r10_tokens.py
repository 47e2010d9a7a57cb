"""Tokens of the web server, and sessions of browsers."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "3d9b62f7a184"
down_revision = "5c9e27d4b816"

_ON_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Add the tables, unless an upgrade that was cut off has: MySQL commits each statement."""
    metadata = sa.MetaData()
    sa.Table(
        "access_token",
        metadata,
        sa.Column("id", sa.String(16), primary_key=True, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("scopes", sa.String(100), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("last_used_at", sa.BigInteger()),
        **_ON_MYSQL,
    )
    sa.Table(
        "web_session",
        metadata,
        sa.Column("digest", sa.String(64), primary_key=True, nullable=False),
        sa.Column("token_id", sa.String(16), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        **_ON_MYSQL,
    )
    metadata.create_all(op.get_bind(), checkfirst=True)
