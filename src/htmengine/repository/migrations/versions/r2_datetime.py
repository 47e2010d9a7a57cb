"""TIMESTAMP columns become DATETIME: MySQL converts a TIMESTAMP by the time zone of each session."""

import sqlalchemy as sa
from alembic import op

revision = "1d2eddc43366"
down_revision = "57ab75d58038"


def upgrade() -> None:
    """Change the types, in MySQL: only there did applications have these tables."""
    if op.get_context().dialect.name != "mysql":
        return
    op.alter_column("instance_status_history", "timestamp", type_=sa.DateTime(), existing_nullable=False)
    op.alter_column("metric", "last_timestamp", type_=sa.DateTime(), existing_nullable=True, nullable=True)
    op.alter_column("metric_data", "timestamp", type_=sa.DateTime(), existing_nullable=False)
