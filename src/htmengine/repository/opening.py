"""Which database the settings name."""

from __future__ import annotations

from htmengine import config
from htmengine.repository.database import Database
from htmengine.repository.server import open_server
from htmengine.repository.sqlite_file import CACHE_BYTES, open_sqlite


def open_database(
    repository: config.Repository,
    *,
    serving: bool = False,
    shrinks: bool = True,
    cache_bytes: int = CACHE_BYTES,
) -> Database:
    """Return the database of the settings; nothing is connected yet. A SQLite file's folder is created.

    Parameters
    ----------
    serving : for services, which must not wait for long; see `repository.waiting`.
    shrinks : a SQLite file that is made then can give pages back to the disk; see `repository.file_space`.
    cache_bytes : of the pages of a SQLite file that its writer keeps in memory, at most.

    Raises
    ------
    ConfigError : the settings name no file, or one for TLS that cannot be used.
    RepositoryError : the folder cannot be created.
    PackageMissing : the server's driver is not installed.
    """
    if repository.dialect == "sqlite":
        return open_sqlite(repository.path, shrinks=shrinks, cache_bytes=cache_bytes)
    return open_server(repository, serving=serving)
