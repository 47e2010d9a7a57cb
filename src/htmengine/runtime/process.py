"""What every program does around its work: settings, log, bus, repository, signals, and errors as two lines."""

from __future__ import annotations

import argparse
import fcntl
import gc
import logging
import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from htmengine import config
from htmengine.bus import Bus, BusError, BusUnavailable
from htmengine.errors import ExplainedError, MisuseError
from htmengine.runtime import fault_injection, service
from htmengine.runtime.reports import Reporter, Snapshot

if TYPE_CHECKING:
    import sqlalchemy

DEFAULT_DATA: Final = Path("htmengine-data")
"""Folder of the embedded parts where none is named, below the current directory."""
SCHEDULER: Final = "model_scheduler"
"""The service that has a setting of its own for profiling."""
DATA_QUEUE_LIMIT: Final = 20_000
DATA_QUEUE_BYTES: Final = 8 << 20
"""Some two hundred thousand lines: what waits is worked off in seconds, and beyond it the senders wait."""
SHARD_QUEUE_LIMIT: Final = 2_000
GARBAGE_THRESHOLDS: Final = (50_000, 20, 50)
LEAST_FREE_BYTES: Final = 16 << 20
"""With less than this left on the disk no program starts: SQLite needs room to roll back what it cannot finish."""

log = logging.getLogger(__name__)


class StartError(ExplainedError):
    """A program cannot start as things are: its files, its servers or its port are not usable."""


@dataclass(frozen=True)
class Context:
    """What a program's work is given."""

    settings: config.Settings
    bus: Bus
    engine: sqlalchemy.Engine
    shards: int
    """Number of shards of this installation."""
    step: service.Step = service.no_step
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when the program is to end."""
    options: argparse.Namespace = field(default_factory=argparse.Namespace)
    """What the command line said."""
    counters: dict[str, Snapshot] = field(default_factory=dict)
    """By service: what it counts. A service that has something to tell enters itself."""


Work = Callable[[Context], None]
"""Works until `context.stop` is set."""


def stage_work(build: Callable[[Context], service.Stage], name: str) -> Work:
    """Return the work of a stage that is fed by queues, for the service of this name."""

    def work(context: Context) -> None:
        try:
            stage = service.insisting(partial(build, context), name, context.stop)
        except service.Stopped:
            return
        context.counters[stage.name] = stage.counters.snapshot
        settings = context.settings
        profiling = settings.scheduler.profiling if stage.name == SCHEDULER else settings.profiling
        service.run(stage, context.bus, context.stop, step=context.step, profiling=profiling)

    return work


def main(build: Callable[[Context], service.Stage], name: str) -> None:
    """Run a stage that is fed by queues as a program of its own, until SIGTERM or SIGINT. Exits the process."""
    sys.exit(run_program(stage_work(build, name), name))


def run_program(
    work: Work,
    name: str,
    *,
    reported_as: Callable[[argparse.Namespace], str] | None = None,
    arguments: Callable[[argparse.ArgumentParser], None] | None = None,
    argv: Sequence[str] | None = None,
) -> int:
    """Run a service's work until SIGTERM or SIGINT and return the exit code.

    Parameters
    ----------
    work : done in this thread; it gets a context whose `stop` a signal sets.
    name : of the service, as in `python -m htmengine.runtime.<name>`.
    reported_as : returns the name under which the service says how it is, where its options make it another one.
    arguments : adds options of the service's own; they are in `context.options`.
    """
    parser = argparse.ArgumentParser(prog=name, description=f"The service {name} of htmengine.")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="DIR",
        help=f"configuration directory [default: {config.CONFIG_PATH_VARIABLE}]",
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help=f"folder of the embedded parts [default: {DEFAULT_DATA}]"
    )
    if arguments:
        arguments(parser)
    options = parser.parse_args(argv)
    configure_logging()
    stop = threading.Event()
    try:
        settings = settings_for(options.config, options.data)
        step = fault_injection.from_environment()
        with (
            stopping_on_signals(stop),
            opened(settings, step=step, stop=stop, options=options, waiting_as=name) as context,
        ):
            log.info("%s.started", name)
            collect_garbage_seldom()
            with reporting(context, [reported_as(options) if reported_as else name], {}):
                work(context)
            log.info("%s.stopped", name)
    except service.Stopped:
        log.info("%s.stopped reason=told to, before it had started", name)
    except ExplainedError as error:
        print(f"{error}\n{error.hint}", file=sys.stderr)
        return error.exit_code
    except Exception:
        log.exception("%s.failed", name)
        return 1
    return 0


def collect_garbage_seldom() -> None:
    """Let Python look for cycles of garbage seldom, and not at all among what is there now.

    Batches make very many objects and hardly a cycle, and a full search stops all threads of the process: for longer,
    the more models there are.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


@contextmanager
def reporting(context: Context, services: Sequence[str], restarts: Mapping[str, int]) -> Iterator[None]:
    """Let services of this process say how they are, where there is a local folder for it."""
    folder = reports_folder(context.settings)
    if folder is None:
        yield
        return
    reporter = Reporter(folder)
    reporter.start(list(services), context.counters, restarts)
    try:
        yield
    finally:
        reporter.close()


def reports_folder(settings: config.Settings) -> Path | None:
    """Return where this machine's services say how they are; None where the settings name no folder for data."""
    return settings.bus_path.parent / "services" if settings.bus_path else None


def configure_logging(level: int = logging.INFO) -> None:
    """Send one line for each event to standard error, with times in UTC."""
    formatter = logging.Formatter(
        "%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    for name in ("htmengine", "__main__"):  # the second is the module of a service that python -m runs
        ours = logging.getLogger(name)
        ours.handlers[:] = [handler]
        ours.propagate = False
        ours.setLevel(level)


@contextmanager
def stopping_on_signals(stop: threading.Event) -> Iterator[None]:
    """Let SIGTERM and SIGINT set `stop`; a second one ends the process at once, as safely as a kill -9."""

    def handle(number: int, _frame: object) -> None:
        # By a thread: the signal may have come while this one held the event's own lock.
        threading.Thread(target=stop.set).start()
        # Python's own handler would raise KeyboardInterrupt, and close the bus under the services' hands.
        before = previous[signal.Signals(number)]
        signal.signal(number, signal.SIG_DFL if before is signal.default_int_handler else before)

    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in previous:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


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
    step: service.Step = service.no_step,
    stop: threading.Event | None = None,
    options: argparse.Namespace | None = None,
    waiting_as: str | None = None,
    serving: bool = True,
) -> Iterator[Context]:
    """Give a context with the bus and the repository open and every queue declared; close them at the end.

    An embedded repository is created or upgraded on the way; one on a server is not touched.

    Parameters
    ----------
    waiting_as : the service that waits for what is away, until `stop` is set; without it that is an error.
    serving : services are to run: a disk of embedded parts must have room, and all may be written. A command that
        only looks in does so on a full disk, too.

    Raises
    ------
    StartError : files or servers cannot be used.
    Stopped : `stop` was set while it waited.
    """
    from sqlalchemy.exc import DBAPIError

    from htmengine.repository.errors import RepositoryUnavailable

    stop = stop or threading.Event()
    opening = partial(_open, settings, serving)
    try:
        engine, shards, bus = service.insisting(opening, waiting_as, stop) if waiting_as else opening()
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
    except BusError as error:
        raise StartError(
            f"{error}.",
            hint="Move the file away and start again, with a new bus: what is stored is scored all the same, and what "
            "was not stored yet is sent again by its senders."
            if settings.bus == "embedded"
            else "The broker's log tells more.",
        ) from error
    try:
        yield Context(
            settings=settings,
            bus=bus,
            engine=engine,
            shards=shards,
            step=step,
            stop=stop,
            options=options or argparse.Namespace(),
        )
    finally:
        bus.close()
        engine.dispose()


def _server_away(error: Exception, settings: config.Settings) -> str | None:
    """Return what to look at when an error is of a server that is away; None if it is of a file."""
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


def _open(settings: config.Settings, serving: bool) -> tuple[sqlalchemy.Engine, int, Bus]:
    """Return the repository, its number of shards, and the bus."""
    from htmengine.bus.opening import open_bus
    from htmengine.repository.engine import open_engine

    with _alone_in(data_folder(settings), LEAST_FREE_BYTES if serving else 0), ExitStack() as undoing:
        engine = open_engine(settings.repository)
        undoing.callback(engine.dispose)
        shards = _prepare_repository(engine, settings, serving)
        bus = open_bus(settings)
        undoing.callback(bus.close)
        declare(bus, settings, shards)
        undoing.pop_all()
        return engine, shards, bus


def declare(bus: Bus, settings: config.Settings, shards: int) -> None:
    """Make sure that every queue and exchange of the engine exists."""
    bus.declare_queue(settings.listener.queue, limit=DATA_QUEUE_LIMIT, limit_bytes=DATA_QUEUE_BYTES)
    for shard in range(shards):
        bus.declare_queue(settings.model_input_queue(shard), limit=SHARD_QUEUE_LIMIT)
        bus.declare_queue(settings.results_shard_queue(shard), limit=SHARD_QUEUE_LIMIT)
    bus.declare_exchange(settings.results_exchange)
    bus.declare_exchange(settings.batches_exchange)


def _prepare_repository(engine: sqlalchemy.Engine, settings: config.Settings, serving: bool) -> int:
    """Return the number of shards; an embedded repository is brought to the newest schema first."""
    from htmengine.repository.engine import reading
    from htmengine.repository.migrations import installed_shards, is_current, upgrade

    if settings.repository.dialect == "sqlite":
        if serving or not is_current(engine):
            upgrade(engine, settings.shards)
    elif not is_current(engine):
        raise StartError(
            f"{_place(settings)}: the database's schema is not the one of this version.",
            hint="Run `htmengine db upgrade` once, then start again.",
        )
    with reading(engine) as conn:
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
    folder.mkdir(parents=True, exist_ok=True)
    if free_bytes(folder) < least_free:
        raise StartError(
            f"{folder}: the disk is full: less than {least_free >> 20} MiB are left.",
            hint="Make room, or name a folder on another disk with --data; nothing was changed.",
        )
    with (folder / "starting.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
