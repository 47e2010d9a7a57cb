"""Samples that wait are found by their metric and their time."""

import sqlalchemy as sa
from alembic import op

revision = "8d41b7e6c025"
down_revision = "5f0c2e8ab914"


def upgrade() -> None:
    """Make the index, unless an upgrade that was cut off has: MySQL commits each statement."""
    there = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("gathered_sample")}
    if "gathered_sample_time_idx" not in there:
        op.create_index("gathered_sample_time_idx", "gathered_sample", ["name", "timestamp"])
    if "gathered_sample_name_idx" in there:
        op.drop_index("gathered_sample_name_idx", "gathered_sample")
