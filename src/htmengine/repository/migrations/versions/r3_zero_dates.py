"""Dates have no default: MySQL refuses 0000-00-00 since 5.7.8."""

import sqlalchemy as sa
from alembic import op

revision = "872a895b8e8"
down_revision = "1d2eddc43366"


def upgrade() -> None:
    """Drop the defaults, in MySQL: only there did applications have these tables."""
    if op.get_context().dialect.name != "mysql":
        return
    for table, column, nullable in (
        ("instance_status_history", "timestamp", False),
        ("metric", "last_timestamp", True),
        ("metric_data", "timestamp", False),
    ):
        op.alter_column(
            table, column, existing_type=sa.DateTime(), existing_nullable=nullable, server_default=None
        )
