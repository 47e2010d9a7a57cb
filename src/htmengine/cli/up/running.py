"""What `htmengine up` does: start the engine, say what to do next, wait for the end."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from htmengine import config
from htmengine.alerts import service as alerts
from htmengine.cli.terminal import echo_stderr
from htmengine.incidents import service as incidents
from htmengine.runtime import engine, metric_garbage_collector
from htmengine.service import fault_injection, program, shutdown
from htmengine.service.context import Context, data_folder, opened, settings_for
from htmengine.service.supervisor import Supervisor
from htmengine.silence import service as silence
from htmengine.system import private
from htmengine.web import access, server
from htmengine.writeback import service as writeback

POLL_S: Final = 0.05
CLOSES_WITHIN_S: Final = 2 * shutdown.STANDSTILL_S
"""What still hangs when the engine has given up its services, such as a server that does not answer a good-bye."""


class Request(NamedTuple):
    """What the user asked for; see the options of `htmengine.cli.up.up`."""

    data: Path | None
    config: Path | None
    host: str | None
    port: int | None
    http_host: str | None
    http_port: int | None
    demo: bool
    own_load: bool
    seconds: float | None
    verbose: bool


@private.umask()
def run(request: Request) -> None:
    """Run the engine until it is stopped. Raises ExplainedError when it cannot go on."""
    settings = _listening(settings_for(request.config, request.data), request)
    verbose = request.verbose or settings.profiling or settings.scheduler.profiling
    program.configure_logging(logging.INFO if verbose else logging.WARNING)
    stop, progress = threading.Event(), shutdown.Progress()
    with (
        ExitStack() as stack,
        program.stopping_on_signals(stop),
        shutdown.in_time(stop, progress, "htmengine", standstill_s=CLOSES_WITHIN_S),
        opened(settings, step=fault_injection.from_environment(), stop=stop, progress=progress) as context,
    ):
        listening = threading.Event()
        works = engine.services(lambda _port: listening.set()) | {
            silence.NAME: silence.work,
            incidents.NAME: incidents.work,
            alerts.NAME: alerts.work,
        }
        if writeback.configured(settings.writeback):
            works[writeback.NAME] = writeback.work
        serving = threading.Event()
        if bound := stack.enter_context(_web_socket(request, settings)):
            access.require_token(context.database, settings.http)
            works[server.NAME] = partial(server.serve, bound=bound, ready=serving.set)
        supervisor = Supervisor(works, context)
        with program.reporting(context, list(supervisor.restarts), supervisor.restarts):
            supervisor.start()
            while not (stop.is_set() or (listening.is_set() and (serving.is_set() or not bound))):
                stop.wait(POLL_S)
            if not stop.is_set():
                _say_what_next(request, settings, has_page=bound is not None)
                if request.own_load:
                    _send_own_load(context)
                if request.demo:
                    _demonstrate(context, request.seconds)
                elif request.seconds:
                    stop.wait(request.seconds)
                    stop.set()
            stop.wait()
            if not supervisor.failure:
                echo_stderr("Stopping in good order. Ctrl-C now ends it at once.")
            supervisor.wait(echo_stderr)
    echo_stderr("Stopped; everything is saved.")


def _listening(settings: config.Settings, request: Request) -> config.Settings:
    listener, http = settings.listener, settings.http
    return msgspec.structs.replace(
        settings,
        listener=msgspec.structs.replace(
            listener, host=request.host or listener.host, port=request.port or listener.port
        ),
        http=msgspec.structs.replace(
            http,
            host=request.http_host or http.host,
            port=http.port if request.http_port is None else request.http_port,
        ),
    )


@contextmanager
def _web_socket(request: Request, settings: config.Settings) -> Iterator[socket.socket | None]:
    """Give the socket of the web server; None where there is to be none, or where its usual port is taken.

    Raises HttpPortError where a port was asked for and cannot be had.
    """
    http = settings.http
    if not http.port:
        yield None
        return
    try:
        bound = server.listening(http.host, http.port)
    except server.HttpPortError as error:
        if request.http_port is not None or request.http_host is not None or http != config.Http():
            raise
        # Nobody asked for this port, and metrics are scored without the page, too.
        echo_stderr(f"{error} The engine runs without its page. {error.hint}")
        yield None
        return
    with bound:
        yield bound


def _say_what_next(request: Request, settings: config.Settings, *, has_page: bool) -> None:
    folder = data_folder(settings)
    option = (
        f" --config {request.config}" if request.config else f" --data {request.data}" if request.data else ""
    )
    port = settings.listener.port
    echo_stderr(
        f"htmengine runs: port {port} takes `name value timestamp` lines"
        + (f", everything is kept in {folder}." if folder else ".")
    )
    echo_stderr(metric_garbage_collector.rule(settings))
    page = server.address(settings.http) if has_page else None
    if request.demo:
        if page:
            echo_stderr(f"Open {page} to see what is odd.")
        return
    send = f"htmengine send 'cpu.load 0.42'{option}"
    own_load = "" if request.own_load else f"; or this machine's own load: htmengine up --self{option}"
    steps = [
        f"Send samples: point a Graphite agent at port {port}, or {send}{own_load}",
        f"See what is odd: {f'open {page}, or ' if page else ''}htmengine incidents --follow{option}",
        f"See whether all is well: htmengine doctor{option}",
    ]
    echo_stderr(
        "Next:\n"
        + "".join(f"  {number}. {step}\n" for number, step in enumerate(steps, 1))
        + "Ctrl-C stops it in good order."
    )


def _send_own_load(context: Context) -> None:
    from htmengine.monitors.this_machine import INTERVAL_S, MachineLoad, MachineLoadSender

    load = MachineLoad()
    MachineLoadSender(context, load).start()
    echo_stderr(f"The load of this machine comes in every {INTERVAL_S:.0f} s, as {load.host}.*")


def _demonstrate(context: Context, seconds: float | None) -> None:
    from htmengine.cli.up import demo

    began = time.monotonic()
    try:
        demo.run(context, seconds)
    finally:
        context.stop.set()
    echo_stderr(f"The demonstration took {time.monotonic() - began:.0f} s.")
