"""How far scores and hours are moves out of `metric`, into a table that only who stores scores changes.

In SQLite it stays where it is, and the table is a view, until the next revision.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "c2f86a10d7e4"
down_revision = "c41f7a90d2e6"

_ON_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
_MOVED = ("scored_rowid", "hourly_rowid")
_VIEW = (
    "CREATE VIEW metric_watermark AS SELECT uid, generation, scored_rowid, hourly_rowid FROM metric",
    "CREATE TRIGGER metric_watermark_update INSTEAD OF UPDATE ON metric_watermark BEGIN UPDATE metric"
    " SET scored_rowid = NEW.scored_rowid, hourly_rowid = NEW.hourly_rowid WHERE uid = OLD.uid; END",
)


def upgrade() -> None:
    """Move the columns, unless an upgrade that was cut off has: MySQL commits each statement."""
    bind = op.get_bind()
    if bind.dialect.name == "sqlite":
        if not sa.inspect(bind).has_table("metric_watermark"):
            for statement in _VIEW:
                op.execute(statement)
        return
    _table().create(bind, checkfirst=True)
    inspector = sa.inspect(bind)
    columns = {column["name"] for column in inspector.get_columns("metric")}
    if not columns.issuperset(_MOVED):
        return
    op.execute(
        "INSERT INTO metric_watermark (uid, generation, scored_rowid, hourly_rowid)"
        " SELECT uid, generation, scored_rowid, hourly_rowid FROM metric"
        " WHERE uid NOT IN (SELECT uid FROM metric_watermark) ORDER BY uid"
    )
    if "metric_lagging_idx" in {index["name"] for index in inspector.get_indexes("metric")}:
        op.drop_index("metric_lagging_idx", "metric")
    if "is_lagging" in columns:
        op.drop_column("metric", "is_lagging")
    op.execute(f"ALTER TABLE metric {', '.join(f'DROP COLUMN {name}' for name in _MOVED)}")


def _table() -> sa.Table:
    metadata = sa.MetaData()
    sa.Table("metric", metadata, sa.Column("uid", sa.String(40), primary_key=True))
    return sa.Table(
        "metric_watermark",
        metadata,
        sa.Column("uid", sa.String(40), primary_key=True),
        *(
            sa.Column(name, sa.Integer(), nullable=False, server_default=sa.text("0"))
            for name in ("generation", *_MOVED)
        ),
        sa.ForeignKeyConstraint(
            ["uid"],
            ["metric.uid"],
            name="metric_watermark_to_metric_fk",
            ondelete="CASCADE",
            onupdate="CASCADE",
        ),
        postgresql_with={"fillfactor": 40},
        **_ON_MYSQL,
    )
