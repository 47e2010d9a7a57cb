"""Digests of samples. Rows that are there have none: to compute them would read every row."""

import sqlalchemy as sa
from alembic import op

revision = "e83b5d0f9c17"
down_revision = "c4f2d81b6a09"

_COLUMNS = {"metric": ("tail_digest", "model_digest"), "metric_data": ("digest",)}


def upgrade() -> None:
    """Add the columns, unless an upgrade that was cut off has: MySQL commits each statement."""
    for table, names in _COLUMNS.items():
        known = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)}
        for name in names:
            if name not in known:
                op.add_column(table, sa.Column(name, sa.BigInteger()))
