"""How far scores and hours are moves out of `metric` in SQLite, too: of a batch of scores less is written."""

import sqlalchemy as sa
from alembic import op

revision = "5e0d93b7a41c"
down_revision = "c2f86a10d7e4"

_MOVED = ("scored_rowid", "hourly_rowid")
_TABLE = (
    "CREATE TABLE metric_watermark (uid VARCHAR(40) NOT NULL,"
    f" {', '.join(f'{name} INTEGER DEFAULT 0 NOT NULL' for name in ('generation', *_MOVED))},"
    " PRIMARY KEY (uid), CONSTRAINT metric_watermark_to_metric_fk FOREIGN KEY(uid) REFERENCES metric (uid)"
    " ON DELETE CASCADE ON UPDATE CASCADE)"
)
_TRIGGERS = (
    "CREATE TRIGGER IF NOT EXISTS metric_watermark_insert AFTER INSERT ON metric BEGIN INSERT INTO metric_watermark (uid, generation)"
    " SELECT NEW.uid, NEW.generation WHERE NOT EXISTS (SELECT 1 FROM metric_watermark WHERE uid = NEW.uid); END",
    "CREATE TRIGGER IF NOT EXISTS metric_watermark_delete AFTER DELETE ON metric BEGIN"
    " DELETE FROM metric_watermark WHERE uid = OLD.uid; END",
)


def upgrade() -> None:
    """Make a table of the view; the database is in one transaction."""
    bind = op.get_bind()
    if bind.dialect.name != "sqlite":
        return
    if "metric_watermark" in sa.inspect(bind).get_view_names():
        op.execute("DROP VIEW metric_watermark")
        op.execute(_TABLE)
        op.execute(
            "INSERT INTO metric_watermark (uid, generation, scored_rowid, hourly_rowid)"
            " SELECT uid, generation, scored_rowid, hourly_rowid FROM metric ORDER BY rowid"
        )
        op.execute("DROP INDEX IF EXISTS metric_lagging_idx")
        for name in _MOVED:
            op.execute(f"ALTER TABLE metric DROP COLUMN {name}")
    for trigger in _TRIGGERS:
        op.execute(trigger)
