"""The HTTP server: a thread of `htmengine up`, or a program of its own."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Final

import uvicorn

from htmengine import config
from htmengine.errors import ExplainedError
from htmengine.service.context import Context
from htmengine.service.retry import ShutdownRequested, retry_while_unavailable
from htmengine.web.access import require_token
from htmengine.web.app import create_app
from htmengine.web.site import Site

NAME: Final = "web"
BACKLOG: Final = 512
IDLE_S: Final = 65
"""A connection that is idle for so long is closed; a little longer than proxies keep theirs."""
ENDS_WITHIN_S: Final = 3
MAX_CONNECTIONS: Final = 4096
HTTP_PORT: Final = "[http] port"

log = logging.getLogger(__name__)


class HttpPortError(ExplainedError):
    """The port cannot be opened."""


def work(context: Context) -> None:
    """Serve where the settings say, until `context.stop` is set; without a port there is nothing to do.

    While another program has the port, this one waits for it: the other services need no page, and a program that ends
    and is started again and again costs them more than it is worth.
    """
    http = context.settings.http
    if not http.port:
        log.warning("%s.off: [http] port is 0", NAME)
        context.stop.wait()
        return
    try:
        bound = retry_while_unavailable(
            partial(listening, http.host, http.port), NAME, context.stop, (HttpPortError,)
        )
    except ShutdownRequested:
        return
    with bound:
        log.info("%s.listening address=%s", NAME, address(http))
        serve(context, bound)


def address(http: config.Http) -> str:
    """Return where a browser finds the page."""
    if http.public_url:
        return f"{http.public_url}/"
    host = "127.0.0.1" if http.host in ("0.0.0.0", "") else "[::1]" if http.host == "::" else http.host
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"{'https' if http.certificate else 'http'}://{host}:{http.port}/"


def listening(host: str, port: int, option: str = HTTP_PORT) -> socket.socket:
    """Return a socket that listens; `option` says where its port comes from. Raises HttpPortError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise HttpPortError(
            f"{host}:{port}: the web server cannot listen here: {error.strerror or error}.",
            hint=f"Another program may have this port: give another as {option} in application.conf"
            + (
                "; 0 goes without it."
                if option != HTTP_PORT
                else ", or with --http-port; 0 goes without the web server."
            ),
        ) from error
    # Connections have it from here: an answer goes out in two pieces, and the second would wait 40 ms for the client's
    # acknowledgement of the first. asyncio sets it for sockets that it makes itself.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


def _require_certificate(http: config.Http) -> None:
    if http.certificate is None or http.key is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(http.certificate, http.key)
    except OSError as error:  # which TLS's errors are, too
        raise HttpPortError(
            f"[http] tls_certificate = {http.certificate}, tls_key = {http.key}: cannot be used: "
            f"{error.strerror or error}.",
            hint="Name a certificate and its private key, both PEM files that this user may read.",
        ) from error


def _further(settings: config.Settings) -> Iterator[socket.socket]:
    """Yield sockets for the doors with ports of their own. Raises HttpPortError."""
    doors = settings.doors
    for port, section in ((doors.influx_port, "influx"), (doors.otlp_port, "otlp")):
        if port:
            yield listening(settings.http.host, port, f"[{section}] extra_port")
            log.info("%s.listening host=%s port=%d for=%s", NAME, settings.http.host, port, section)


def serve(
    context: Context,
    bound: socket.socket,
    ready: Callable[[], None] = lambda: None,
    *,
    site: Site | None = None,
) -> None:
    """Serve on a socket, which stays open, until `context.stop` is set; `ready` is called once it is served.

    Raises
    ------
    NoTokenError : other machines can connect, and nobody has a token.
    HttpPortError : the certificate cannot be used, or a door's further port cannot be opened.
    """
    require_token(context.database, context.settings.http)
    logging.getLogger("htmengine.web.audit").setLevel(logging.INFO)  # whatever else is logged
    http = context.settings.http
    app = create_app(context, site=site)
    _require_certificate(http)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            lifespan="on",
            ws="none",
            loop="asyncio",
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=ENDS_WITHIN_S,
            limit_concurrency=MAX_CONNECTIONS,
            ssl_certfile=http.certificate,
            ssl_keyfile=http.key,
        )
    )
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            if server.started:
                ready()
                break
            ended.wait(0.02)
        while not ended.wait(0.1):
            if context.stop.is_set():
                app.state.site.hub.close()  # or the server would wait for readers of the stream
                server.should_exit = True

    watcher = threading.Thread(target=watch, name="web-watch", daemon=True)
    watcher.start()
    try:
        with ExitStack() as stack:
            further = [stack.enter_context(one) for one in _further(context.settings)]
            server.run(sockets=[bound.dup(), *further])
    finally:
        ended.set()
        watcher.join()
