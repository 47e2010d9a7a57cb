"""The engine's own columns and tables, and where the metrics of an older application stand.

Adds only what is not there: an application may have made the tables from `schema`, without a revision. What is added is
written out here, as it was at this revision; `schema` goes on changing.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from htmengine.repository.times import epoch_seconds

revision = "a1e0c35d7b42"
down_revision = "315d6ad6c19f"


_ON_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


_TEXTS = {
    "instance_status_history": {
        "server": ("VARCHAR(100)", "DEFAULT '' NOT NULL"),
        "status": ("VARCHAR(32)", "DEFAULT '' NOT NULL"),
    },
    "lock": {"name": ("VARCHAR(40)", "NOT NULL")},
    "metric": {
        "uid": ("VARCHAR(40)", "NOT NULL"),
        "datasource": ("VARCHAR(100)", "NULL"),
        "name": ("VARCHAR(255)", "NULL"),
        "description": ("VARCHAR(200)", "NULL"),
        "server": ("VARCHAR(100)", "NULL"),
        "location": ("VARCHAR(200)", "NULL"),
        "parameters": ("TEXT", "NULL"),
        "message": ("TEXT", "NULL"),
        "collector_error": ("TEXT", "NULL"),
        "tag_name": ("VARCHAR(200)", "NULL"),
        "model_params": ("TEXT", "NULL"),
    },
    "metric_data": {
        "uid": ("VARCHAR(40)", "DEFAULT '' NOT NULL"),
        "multi_step_best_predictions": ("TEXT", "NULL"),
    },
}


def _counter(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default=sa.text("0"))


def _columns() -> dict[str, list[sa.Column[Any]]]:
    return {
        "metric": [
            _counter("generation"),
            _counter("base_rowid"),
            _counter("scored_rowid"),
            sa.Column("tail_timestamp", sa.BigInteger()),
        ],
        "metric_data": [
            sa.Column("log_score", sa.Double()),
            sa.Column("sequence_score", sa.Double()),
            sa.Column("novelty_score", sa.Double()),
        ],
    }


def _tables() -> list[sa.Table]:
    metadata = sa.MetaData()
    return [
        sa.Table(
            "installation",
            metadata,
            sa.Column("name", sa.String(40), primary_key=True),
            sa.Column("setting", sa.String(200), nullable=False),
            **_ON_MYSQL,
        ),
        sa.Table(
            "shard_owner",
            metadata,
            sa.Column("shard", sa.Integer(), primary_key=True, autoincrement=False),
            sa.Column("epoch", sa.BigInteger(), nullable=False),
            **_ON_MYSQL,
        ),
        sa.Table(
            "backfill",
            metadata,
            sa.Column("name", sa.String(255), primary_key=True),
            sa.Column("token", sa.String(40), nullable=False),
            sa.Column("renewed_at", sa.BigInteger(), nullable=False),
            **_ON_MYSQL,
        ),
        sa.Table(
            "held_sample",
            metadata,
            sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
            sa.Column("name", sa.String(255), nullable=False),
            sa.Column("timestamp", sa.BigInteger(), nullable=False),
            sa.Column("metric_value", sa.Double(), nullable=False),
            sa.Index("held_sample_name_idx", "name"),
            **_ON_MYSQL,
        ),
    ]


_LAGGING = "scored_rowid < last_rowid AND status IN (1, 2)"
_PENDING = "status = 2"
_WITH_MODEL = (1, 2, 4)
_PAGE = 500


def upgrade() -> None:
    """Add what is missing, then fill it."""
    bind = op.get_bind()
    if bind.dialect.name == "mysql":
        _convert_texts(bind)
    inspector = sa.inspect(bind)
    for table, columns in _columns().items():
        known = {column["name"] for column in inspector.get_columns(table)}
        for column in columns:
            if column.name not in known:
                op.add_column(table, column)
    there = {index["name"] for index in inspector.get_indexes("metric")}
    if "name_idx" not in there:
        op.create_index("name_idx", "metric", ["name"])
    if bind.dialect.name in ("sqlite", "postgresql"):
        indexes = {"metric_lagging_idx": _LAGGING, "metric_pending_idx": _PENDING}
        if bind.dialect.name == "postgresql":
            op.execute("ALTER TABLE metric SET (fillfactor = 40, toast_tuple_target = 256)")
            del indexes["metric_lagging_idx"]
        for name, condition in indexes.items():
            if name not in there:
                where = sa.text(condition)
                op.create_index(name, "metric", ["uid"], sqlite_where=where, postgresql_where=where)
    else:
        _mark_on_mysql(there)
    if bind.dialect.name != "sqlite":  # which cannot give a column a default later
        op.alter_column("metric", "last_rowid", existing_type=sa.Integer(), server_default=sa.text("0"))
    for own in _tables():
        own.create(bind, checkfirst=True)
    _fill(bind)


def _convert_texts(bind: sa.Connection) -> None:
    """Let every text be stored, and tell upper and lower case apart: old tables have the server's defaults."""
    query = "SELECT 1 FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = :table"
    other = sa.text(f"{query} AND collation_name <> 'utf8mb4_bin'")
    if bind.scalar(other, {"table": "metric"}) or bind.scalar(other, {"table": "metric_data"}):
        for key in sa.inspect(bind).get_foreign_keys("metric_data"):  # both of its ends change
            op.drop_constraint(str(key["name"]), "metric_data", type_="foreignkey")
    for table, columns in _TEXTS.items():
        if bind.scalar(other, {"table": table}):
            changes = "".join(
                f", MODIFY {name} {kind} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin {options}"
                for name, (kind, options) in columns.items()
            )
            op.execute(f"ALTER TABLE `{table}` DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin{changes}")
    if not sa.inspect(bind).get_foreign_keys("metric_data"):
        op.create_foreign_key(
            "metric_data_to_metric_fk",
            "metric_data",
            "metric",
            ["uid"],
            ["uid"],
            ondelete="CASCADE",
            onupdate="CASCADE",
        )


def _mark_on_mysql(there: set[Any]) -> None:
    """MySQL has no indexes of some rows: a column tells which metrics lag."""
    if "metric_lagging_idx" not in there:
        op.execute(
            f"ALTER TABLE metric ADD COLUMN is_lagging BOOLEAN GENERATED ALWAYS AS ({_LAGGING}) VIRTUAL,"
            " ADD INDEX metric_lagging_idx (is_lagging, uid)"
        )
    if "metric_pending_idx" not in there:
        op.create_index("metric_pending_idx", "metric", ["status", "uid"])


def _fill(bind: sa.Connection) -> None:
    metric = sa.table(
        "metric",
        *map(sa.column, ("uid", "status", "last_rowid", "base_rowid", "scored_rowid", "tail_timestamp")),
    )
    bind.execute(sa.update(metric).where(metric.c.last_rowid.is_(None)).values(last_rowid=0))
    bind.execute(sa.update(metric).where(metric.c.status.is_(None)).values(status=0))
    query = sa.select(metric.c.uid, metric.c.status, metric.c.last_rowid).order_by(metric.c.uid).limit(_PAGE)
    rows = bind.execute(query).all()
    while rows:
        for uid, status, last in rows:
            if stands := _where_it_stands(bind, uid, status, last):
                bind.execute(sa.update(metric).where(metric.c.uid == uid).values(**stands))
        rows = bind.execute(query.where(metric.c.uid > rows[-1].uid)).all()


def _where_it_stands(bind: sa.Connection, uid: str, status: int, last: int) -> dict[str, int | None]:
    """Return the new columns of a metric: scored are the rows before the first one that has no score.

    Rows above that one may have scores; they are scored again, by the model that is made from the rows.
    """
    data = sa.table(
        "metric_data",
        sa.column("uid", sa.String()),
        sa.column("rowid", sa.Integer()),
        sa.column("timestamp", sa.DateTime()),
        sa.column("raw_anomaly_score", sa.Double()),
    )
    oldest, newest = bind.execute(
        sa.select(sa.func.min(data.c.rowid), sa.func.max(data.c.rowid)).where(data.c.uid == uid)
    ).one()
    if oldest is None:
        return {"base_rowid": last, "scored_rowid": last} if status in _WITH_MODEL else {}
    tail = bind.scalar(
        sa.select(epoch_seconds(data.c.timestamp)).where(data.c.uid == uid, data.c.rowid == newest)
    )
    stands: dict[str, int | None] = {"tail_timestamp": tail}
    if status in _WITH_MODEL:
        unscored = bind.scalar(
            sa.select(sa.func.min(data.c.rowid)).where(data.c.uid == uid, data.c.raw_anomaly_score.is_(None))
        )
        stands |= {
            "base_rowid": oldest - 1,
            "scored_rowid": (newest + 1 if unscored is None else unscored) - 1,
        }
    return stands
