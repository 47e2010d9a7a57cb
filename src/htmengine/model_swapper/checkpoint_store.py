"""Where models wait when they are not in memory: blocks by metric, generation and last rowid.

The store also says who may write. Whoever begins to serve a shard claims it, which raises the shard's epoch; what an
earlier owner still writes under its own epoch is refused. The epochs stand beside the blocks, in one database, so
that the check and the write are one transaction.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

from htmengine import config
from htmengine.errors import ConfigError
from htmengine.model_swapper.checkpoint import Checkpoint
from htmengine.repository import checkpoints as stored
from htmengine.repository.checkpoints import CheckpointKey, ModelKey, StoredCheckpoint
from htmengine.repository.database import Database
from htmengine.repository.opening import open_database

FILE: Final = "checkpoints.sqlite"

_files: WeakKeyDictionary[Database, dict[Path, CheckpointStore]] = WeakKeyDictionary()
"""By repository, the files that are open."""
_files_guard: Final = threading.Lock()


class CheckpointStore:
    """Keeps checkpoints in a database: a SQLite file of their own, or the repository's server.

    Safe to use from several threads and processes. All methods raise RepositoryUnavailable while the database is unavailable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def require_whole(self) -> None:
        """Check that a file of checkpoints is there and whole. Raises RepositoryError."""
        self._database.require_whole()

    def create(self) -> None:
        """Create the tables, where they are missing; those who do so at the same time wait for each other."""
        with self._database.write() as conn:
            stored.create_tables(conn)

    def claim(self, shard: int) -> int:
        """Become the owner of a shard and return the epoch under which to write."""
        with self._database.write() as conn:
            return stored.claim(conn, shard)

    def epoch(self, shard: int) -> int:
        """Return the epoch of a shard's owner; 0 before the first."""
        with self._database.read() as conn:
            return stored.epoch(conn, shard)

    def write(
        self,
        checkpoints: Sequence[Checkpoint],
        epochs: Mapping[int, int],
        *,
        scored: Mapping[str, int],
        now: int,
    ) -> frozenset[int]:
        """Compress and write checkpoints in one transaction, and drop those that they make needless.

        Parameters
        ----------
        epochs : under which the shards were claimed.
        scored : by uid, the rowid up to which scores are stored. Of each model the newest checkpoint stays, and
            the newest that does not lie beyond this rowid, from which lost scores can be made again, and anchors: see
            `repository.checkpoints.store`. Of a model that is not in it, all stay.
        now : seconds since the epoch.

        Returns
        -------
        The shards that have another owner by now: nothing of these was written.
        """
        checkpoints = [checkpoint.compressed() for checkpoint in checkpoints]
        with self._database.write() as conn:
            stale = stored.stale_shards(conn, {checkpoint.shard for checkpoint in checkpoints}, epochs)
            # Of one key the last counts; a key that is there already is the same block, written by an earlier life.
            unique = {item[:3]: item for item in checkpoints if item.shard not in stale}
            stored.store(
                conn, [StoredCheckpoint(*item[:6]) for item in unique.values()], scored=scored, now=now
            )
        return stale

    def newest(self, uids: Sequence[str]) -> dict[ModelKey, Checkpoint]:
        """Return the newest checkpoint of every model of these metrics that has one."""
        with self._database.read() as conn:
            return {found[:2]: Checkpoint(*found) for found in stored.newest(conn, uids)}

    def discard(self, uid: str, generation: int, *, above: int) -> None:
        """Delete a model's checkpoints that lie beyond a rowid."""
        with self._database.write() as conn:
            stored.discard(conn, uid, generation, above=above)

    def delete_models(self, models: Iterable[ModelKey]) -> None:
        """Delete all checkpoints of these uids, of the given generation and of all before it."""
        with self._database.write() as conn:
            stored.delete_models(conn, models)

    def models(self) -> list[ModelKey]:
        """Return every model that has a checkpoint."""
        with self._database.read() as conn:
            return stored.models(conn)

    def rowids(self, uids: Sequence[str]) -> dict[ModelKey, list[int]]:
        """Return, by model, the rowids of its checkpoints, ascending: old rows are removed up to one of them."""
        with self._database.read() as conn:
            return stored.rowids(conn, uids)

    def delete_older(self, rowids: Mapping[ModelKey, int]) -> None:
        """Delete the checkpoints of these models that lie before a rowid: rows behind them are gone."""
        with self._database.write() as conn:
            stored.delete_older(conn, rowids)

    def listing(self, uid: str | None = None) -> list[CheckpointKey]:
        """Return the keys of all checkpoints, or of those of one metric, the oldest of a model first."""
        with self._database.read() as conn:
            return stored.listing(conn, uid)

    def read(self, key: CheckpointKey) -> Checkpoint | None:
        """Return a checkpoint; None when it is gone."""
        with self._database.read() as conn:
            found = stored.read(conn, key)
        return None if found is None else Checkpoint(*found)

    def of_metrics(self, uids: Sequence[str]) -> list[Checkpoint]:
        """Return all checkpoints of these metrics, few enough for one statement, the oldest of a model first."""
        with self._database.read() as conn:
            return [Checkpoint(*found) for found in stored.of_metrics(conn, uids)]


def open_checkpoint_store(settings: config.Settings, repository: Database) -> CheckpointStore:
    """Return the store that the settings name, its tables made.

    A file is opened once for each repository that is open, whoever asks for it, and closed with the repository: each
    one that is open has connections and a thread.

    Raises
    ------
    ConfigError, RepositoryError, RepositoryUnavailable : as `open_database` does.
    """
    if settings.checkpoint_store == "repository":
        store = CheckpointStore(repository)
        store.create()
        return store
    path = _path(settings.checkpoint_root)
    with _files_guard:
        files = _files.setdefault(repository, {})
        if path not in files:
            database = open_database(
                config.Repository(path=path),
                shrinks=False,
                cache_bytes=settings.scheduler.small_cache_bytes,
            )
            store = CheckpointStore(database)
            try:
                store.create()
            except BaseException:
                database.close()
                raise
            files[path] = store
            repository.after_close(partial(_close, files, path, database))
        return files[path]


def _close(files: dict[Path, CheckpointStore], path: Path, database: Database) -> None:
    with _files_guard:
        files.pop(path, None)
    database.close()


def _path(root: Path | None) -> Path:
    if root is None:
        raise ConfigError(
            "Checkpoints are a SQLite file, but no folder is named for it.",
            hint="Set [storage] root in model-checkpoint.conf, or [engine] data_dir in application.conf.",
        )
    return root / FILE
