"""What people have taught models, and the alarms that this has silenced."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "5f0c2e8ab914"
down_revision = "c4d7a19be350"

_LOCK = "teachings"
_ON_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Add the tables, unless an upgrade that was cut off has: MySQL commits each statement."""
    metadata = sa.MetaData()
    sa.Table(
        "teaching",
        metadata,
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True
        ),
        sa.Column("uid", sa.String(40), nullable=False),
        sa.Column("label", sa.BigInteger(), nullable=False),
        sa.Column("how", sa.String(10), nullable=False),
        sa.Column("begins", sa.BigInteger(), nullable=False),
        sa.Column("ends", sa.BigInteger(), nullable=False),
        sa.Column("low", sa.Double()),
        sa.Column("high", sa.Double()),
        sa.Column("needed", sa.Double()),
        sa.Column("effective_rowid", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.String(100), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Index("teaching_uid_idx", "uid"),
        sqlite_autoincrement=True,
        **_ON_MYSQL,
    )
    sa.Table(
        "silenced_alarm",
        metadata,
        sa.Column("uid", sa.String(40), primary_key=True, nullable=False),
        sa.Column("rowid", sa.BigInteger(), primary_key=True, nullable=False, autoincrement=False),
        sa.Column("label", sa.BigInteger(), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Index("silenced_alarm_label_idx", "label"),
        **_ON_MYSQL,
    )
    bind = op.get_bind()
    metadata.create_all(bind, checkfirst=True)
    lock = sa.table("lock", sa.column("name"))
    if bind.execute(sa.select(lock.c.name).where(lock.c.name == _LOCK)).first() is None:
        bind.execute(sa.insert(lock).values(name=_LOCK))
