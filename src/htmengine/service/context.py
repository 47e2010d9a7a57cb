"""An installation, opened: the settings that a command line asks for, and its bus and repository, ready to be used."""

from __future__ import annotations

import argparse
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from htmengine import config
from htmengine.bus import Bus, BusError, BusLost, BusUnavailable
from htmengine.bus.embedded.file import LOST_HINT
from htmengine.errors import ExplainedError, MisuseError
from htmengine.service import fault_injection, retry
from htmengine.service.data_queues import DataQueues, KnownQueues, known
from htmengine.service.shutdown import Progress
from htmengine.service.status_files import Snapshot
from htmengine.system import private

if TYPE_CHECKING:
    from htmengine.repository.database import Database

DEFAULT_DATA: Final = Path("htmengine-data")
"""Folder of the embedded parts where none is named, below the current directory."""
SHARD_QUEUE_LIMIT: Final = 2_000
LEAST_FREE_BYTES: Final = 16 << 20
"""With less than this left on the disk no program starts: SQLite needs room to roll back what it cannot finish."""


class StartError(ExplainedError):
    """A program cannot start as things are: its files, its servers or its port are not usable."""


@dataclass(frozen=True)
class Context:
    """What a program's work is given."""

    settings: config.Settings
    bus: Bus
    database: Database
    shards: int
    """Number of shards of this installation."""
    queues: KnownQueues = field(
        default_factory=lambda: KnownQueues(lambda: DataQueues(config.Listener().queue))
    )
    """The queues in which samples wait to be stored; their number may change at any time."""
    step: fault_injection.Step = fault_injection.no_step
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when the program is to end."""
    options: argparse.Namespace = field(default_factory=argparse.Namespace)
    """What the command line said."""
    progress: Progress = field(default_factory=Progress)
    """Told whenever something moves; whoever waits for the end of the program goes by it."""
    clock: Callable[[], float] = time.time
    """Seconds since the epoch. Somebody may set it, so it dates things and decides nothing else."""
    timer: Callable[[], float] = time.monotonic
    """Seconds that only grow, the same for all processes of the machine until it is started again."""
    counters: dict[str, Snapshot] = field(default_factory=dict)
    """By service: what it counts. A service that has something to tell enters itself."""

    @property
    def data_queues(self) -> DataQueues:
        """The queues in which samples wait to be stored, as far as is known."""
        return self.queues.now


def settings_for(directory: Path | None, data: Path | None) -> config.Settings:
    """Return the settings that a command line asks for.

    In this order: a configuration directory; a folder of embedded parts; the directory that APPLICATION_CONFIG_PATH
    names; the folder `htmengine-data` below the current directory.

    Raises
    ------
    MisuseError : both are given, or the configuration cannot be used.
    """
    if directory and data:
        raise MisuseError(
            "--config and --data are both given.",
            hint="Give one: a configuration directory names its data folder itself, as [engine] data_dir.",
        )
    if data is None:
        directory = directory or config.config_dir_from_environment()
    if directory:
        return config.load(directory)
    return config.embedded((data or DEFAULT_DATA).absolute())


def require_data(settings: config.Settings) -> None:
    """Raise MisuseError where embedded parts are asked for and none have been made yet."""
    for path in (settings.bus_path if settings.bus == "embedded" else None, settings.repository.path):
        if path and not path.exists():
            raise MisuseError(
                f"{path.parent}: no engine has run in this folder yet.",
                hint="Start one with `htmengine up`, or name its folder with --data.",
            )


@contextmanager
def opened(
    settings: config.Settings,
    *,
    step: fault_injection.Step = fault_injection.no_step,
    stop: threading.Event | None = None,
    progress: Progress | None = None,
    options: argparse.Namespace | None = None,
    waiting_as: str | None = None,
    serving: bool = True,
) -> Iterator[Context]:
    """Give a context with the bus and the repository open and every queue declared; close them at the end.

    An embedded repository is created or upgraded on the way; one on a server is not touched.

    Parameters
    ----------
    waiting_as : the service that waits for what is unavailable, until `stop` is set; without it that is an error.
    serving : services are to run: a disk of embedded parts must have room, and all may be written. A command that
        only looks in does so on a full disk, too.

    Raises
    ------
    StartError : files or servers cannot be used.
    ShutdownRequested : `stop` was set while it waited.
    """
    from sqlalchemy.exc import DBAPIError

    from htmengine.repository.errors import RepositoryUnavailable

    stop, progress = stop or threading.Event(), progress or Progress()
    opening = partial(_open, settings, serving)
    try:
        database, shards, queues, bus = (
            retry.retry_while_unavailable(opening, waiting_as, stop) if waiting_as else opening()
        )
    except (RepositoryUnavailable, BusUnavailable, DBAPIError, sqlite3.Error, OSError) as error:
        if hint := _server_away(error, settings):
            raise StartError(f"{error}.", hint=hint) from error
        reason: object = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(error, OSError):  # without its number, and the file's name, which tells nothing here
            reason = error.strerror or error
        raise StartError(
            f"{_place(settings)}: cannot be opened for writing: {reason}.",
            hint="Check that the disk has room, and that this user may write there; then start again.",
        ) from error
    except BusLost:
        raise
    except BusError as error:
        raise StartError(
            f"{error}.",
            hint=LOST_HINT if settings.bus == "embedded" else "The broker's log tells more.",
        ) from error
    try:
        yield Context(
            settings=settings,
            bus=bus,
            database=database,
            shards=shards,
            queues=queues,
            step=progress.following(step),
            stop=stop,
            progress=progress,
            options=options or argparse.Namespace(),
        )
        if serving:
            _require_whole(database, bus)
    finally:
        bus.close()
        database.close()


def _require_whole(database: Database, bus: Bus) -> None:
    """Check at the end, before the log says that everything is saved, whether files are gone or damaged.

    Raises RepositoryError or BusLost.
    """
    database.require_whole()
    bus.require_whole()


def _server_away(error: Exception, settings: config.Settings) -> str | None:
    """Return what to look at when an error is of a server that is unavailable; None if it is of a file."""
    from htmengine.repository.errors import RepositoryUnavailable

    if isinstance(error, BusUnavailable) and settings.bus == "rabbitmq":
        return (
            "See that the broker runs, and that rabbitmq.conf names it, a virtual host of it, and a user who may use "
            "that; then start again."
        )
    if isinstance(error, RepositoryUnavailable) and settings.repository.dialect != "sqlite":
        return (
            "See that the server runs, and that [repository] in application.conf names it; then start again."
        )
    return None


def _open(settings: config.Settings, serving: bool) -> tuple[Database, int, KnownQueues, Bus]:
    """Return the repository, its number of shards, the metric-data queues, and the bus."""
    from htmengine.bus.opening import open_bus
    from htmengine.repository.opening import open_database

    with _alone_in(data_folder(settings), LEAST_FREE_BYTES if serving else 0), ExitStack() as undoing:
        database = open_database(
            settings.repository, serving=serving, cache_bytes=settings.scheduler.cache_bytes
        )
        undoing.callback(database.close)
        shards = _prepare_repository(database, settings, serving)
        bus = open_bus(settings)
        undoing.callback(bus.close)
        queues = known(settings, database, bus)
        declare(bus, settings, shards)
        undoing.pop_all()
        return database, shards, queues, bus


def declare(bus: Bus, settings: config.Settings, shards: int) -> None:
    """Make sure that every queue and exchange of the engine exists, but for the metric-data queues."""
    for shard in range(shards):
        bus.declare_queue(settings.model_input_queue(shard), limit=SHARD_QUEUE_LIMIT)
        bus.declare_queue(settings.results_shard_queue(shard), limit=SHARD_QUEUE_LIMIT)
    bus.declare_exchange(settings.results_exchange)
    bus.declare_exchange(settings.batches_exchange)


def _prepare_repository(database: Database, settings: config.Settings, serving: bool) -> int:
    """Return the number of shards; an embedded repository is brought to the newest schema first."""
    from htmengine.repository.migrations import installed_shards, is_current, upgrade

    if settings.repository.dialect == "sqlite":
        if serving or not is_current(database):
            upgrade(database, settings.shards)
    elif not is_current(database):
        raise StartError(
            f"{_place(settings)}: the database's schema is not the one of this version.",
            hint="Run `htmengine db upgrade` once, then start again.",
        )
    with database.read() as conn:
        shards = installed_shards(conn)
    if shards is None:
        raise StartError(
            f"{_place(settings)}: the number of shards is not recorded in the table `installation`.",
            hint="Restore the table from a backup; `htmengine db upgrade` records it in a new database.",
        )
    return shards


def _place(settings: config.Settings) -> str:
    repository = settings.repository
    if folder := data_folder(settings):
        return str(folder)
    return f"{repository.dialect} database {repository.db} at {repository.host}:{repository.port}"


def data_folder(settings: config.Settings) -> Path | None:
    """Return the folder of the embedded parts; None where both bus and repository are on servers."""
    path = settings.bus_path if settings.bus == "embedded" else settings.repository.path
    return path.parent if path else None


def free_bytes(folder: Path) -> int:
    """Return how much room is left on a folder's disk."""
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize


@contextmanager
def _alone_in(folder: Path | None, least_free: int) -> Iterator[None]:
    """Let one process at a time create or upgrade what is in a folder of embedded parts."""
    if folder is None:
        yield
        return
    private.folder(folder)
    if free_bytes(folder) < least_free:
        raise StartError(
            f"{folder}: the disk is full: less than {least_free >> 20} MiB are left.",
            hint="Make room, or name a folder on another disk with --data; nothing was changed.",
        )
    lock = folder / "starting.lock"
    private.file(lock)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
