"""Only notable anomaly scores are indexed, where a database can index some of its rows."""

import sqlalchemy as sa
from alembic import op

revision = "c4f2d81b6a09"
down_revision = "a1e0c35d7b42"

_NOTABLE = "anomaly_score >= 0.99"


def upgrade() -> None:
    """Make the index anew."""
    bind = op.get_bind()
    if bind.dialect.name == "mysql":
        return
    if "anomaly_score_idx" in {index["name"] for index in sa.inspect(bind).get_indexes("metric_data")}:
        op.drop_index("anomaly_score_idx", "metric_data")
    where = sa.text(_NOTABLE)
    op.create_index(
        "anomaly_score_idx", "metric_data", ["anomaly_score"], sqlite_where=where, postgresql_where=where
    )
