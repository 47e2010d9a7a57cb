"""The documented tables as the first applications made them. New ones are made from `schema`, at the newest revision."""

revision = "57ab75d58038"
down_revision = None


def upgrade() -> None:
    """Do nothing: a database of this revision has its tables."""
