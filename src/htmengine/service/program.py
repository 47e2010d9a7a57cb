"""What every program does around its work: its options, log, signals and reports, and errors as two lines."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from htmengine import config
from htmengine.errors import ExplainedError
from htmengine.foreign import visible
from htmengine.htmengine_logging import VisibleFormatter
from htmengine.service import fault_injection, loop, retry, shutdown
from htmengine.service.context import DEFAULT_DATA, Context, opened, settings_for
from htmengine.service.status_files import Reporter
from htmengine.system import garbage, private

SCHEDULER: Final = "model_scheduler"
"""The service that has a setting of its own for profiling."""

log = logging.getLogger(__name__)

Work = Callable[[Context], None]
"""Works until `context.stop` is set."""


def stage_work(build: Callable[[Context], loop.Stage], name: str) -> Work:
    """Return the work of a stage that is fed by queues, for the service of this name."""

    def work(context: Context) -> None:
        try:
            stage = retry.retry_while_unavailable(partial(build, context), name, context.stop)
        except retry.ShutdownRequested:
            return
        context.counters[stage.name] = stage.counters.snapshot
        settings = context.settings
        profiling = settings.scheduler.profiling if stage.name == SCHEDULER else settings.profiling
        loop.run(stage, context.bus, context.stop, step=context.step, profiling=profiling)

    return work


def main(build: Callable[[Context], loop.Stage], name: str) -> None:
    """Run a stage that is fed by queues as a program of its own, until SIGTERM or SIGINT. Exits the process."""
    sys.exit(run_program(stage_work(build, name), name))


@private.umask()
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
    reported_as : returns the name under which the service reports its status, where its options make it another one.
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
        "--data",
        type=Path,
        metavar="DIR",
        help=f"folder of the embedded parts [default: {DEFAULT_DATA}]",
    )
    if arguments:
        arguments(parser)
    options = parser.parse_args(argv)
    configure_logging()
    stop, progress = threading.Event(), shutdown.Progress()
    try:
        # From here on a signal is a wish to stop, also where settings and files have yet to be read.
        with stopping_on_signals(stop):
            settings = settings_for(options.config, options.data)
            step = fault_injection.from_environment()
            with (
                shutdown.in_time(
                    stop, progress, name, say=lambda text: log.info("%s.stopping progress=%s", name, text)
                ),
                opened(
                    settings, step=step, stop=stop, progress=progress, options=options, waiting_as=name
                ) as context,
            ):
                log.info("%s.started", name)
                garbage.collect_rarely_and_freeze()
                with reporting(context, [reported_as(options) if reported_as else name], {}):
                    work(context)
                log.info("%s.stopped", name)
    except retry.ShutdownRequested:
        log.info("%s.stopped reason=signal before it had started", name)
    except ExplainedError as error:
        print(visible(f"{error}\n{error.hint}"), file=sys.stderr)
        return error.exit_code
    except Exception:
        log.exception("%s.failed", name)
        return 1
    return 0


@contextmanager
def reporting(context: Context, services: Sequence[str], restarts: Mapping[str, int]) -> Iterator[None]:
    """Write status files for services of this process, where there is a local folder for them."""
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
    """Return the folder of this machine's status files; None where the settings name no folder for data."""
    return settings.bus_path.parent / "services" if settings.bus_path else None


def configure_logging(level: int = logging.INFO) -> None:
    """Send one line for each event to standard error, with times in UTC."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(VisibleFormatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s"))
    for name in ("htmengine", "__main__"):  # the second is the module of a service that python -m runs
        ours = logging.getLogger(name)
        ours.handlers[:] = [handler]
        ours.propagate = False
        ours.setLevel(level)


@contextmanager
def stopping_on_signals(stop: threading.Event) -> Iterator[None]:
    """Let SIGTERM and SIGINT set `stop`, whatever this thread waits for; a second one ends the process at once.

    That is as safe as a kill -9.
    """
    signals = (signal.SIGTERM, signal.SIGINT)
    # Python calls handlers in the main thread, between two of its instructions. One that begins to wait at that moment
    # waits on, and one within a library's call is not asked. A byte is written at once.
    reader, writer = socket.socketpair()
    writer.setblocking(False)

    def listen() -> None:
        signals_seen = 0
        while numbers := reader.recv(64):
            signals_seen += sum(number in signals for number in numbers)
            stop.set()
            if signals_seen > 1:
                os._exit(128 + numbers[-1])

    def handle(number: int, _frame: object) -> None:
        # Not what handled it before: Python would raise KeyboardInterrupt, and close the bus under the services' hands,
        # and what a shell starts in the background ignores SIGINT.
        signal.signal(number, signal.SIG_DFL)

    listener = threading.Thread(target=listen, name="signals", daemon=True)
    listener.start()
    woken = signal.set_wakeup_fd(writer.fileno())
    previous = {number: signal.getsignal(number) for number in signals}
    for number in signals:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(woken)
        writer.close()
        listener.join()
        reader.close()
