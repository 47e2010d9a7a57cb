"""New repositories, each a copy of one that was made once: to make the tables takes longer than most tests do."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from htmengine import config
from htmengine.repository import migrations
from htmengine.repository.database import Database
from htmengine.repository.opening import open_database


def new_repository(path: Path, shards: int = 4) -> Database:
    """Open a repository with the newest tables and nothing in them, in a file that is made."""
    path.write_bytes(_new(shards))
    return open_database(config.Repository(path=path))


@cache
def _new(shards: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "repository.sqlite"
        database = open_database(config.Repository(path=path))
        migrations.upgrade(database, shards)
        database.close()
        return path.read_bytes()
