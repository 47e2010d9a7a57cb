"""A column for predictions, which the documented statements lack."""

import sqlalchemy as sa
from alembic import op

revision = "315d6ad6c19f"
down_revision = "872a895b8e8"


def upgrade() -> None:
    """Add the column, unless an upgrade that was cut off has: MySQL commits each statement."""
    known = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("metric_data")}
    if "multi_step_best_predictions" not in known:
        op.add_column("metric_data", sa.Column("multi_step_best_predictions", sa.Text()))
