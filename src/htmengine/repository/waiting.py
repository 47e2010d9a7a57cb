"""How long a database server is waited for.

A server that vanished, or a router that forgot a connection, says nothing at all: every wait needs an end of its own.
Three things see to it. TCP probes the other side, from both ends. The server ends statements, and transactions in which
nothing happens, whose client may be gone with locks in its hands. And the driver gives up a connection that does not
answer in time.

What is no service may have statements that take long: an upgrade, a check of everything, an application's own report.
There TCP's probes must do.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Generator
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from htmengine.system.keepalive import tcp_options

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import Engine

    from htmengine import config

SERVERS_SHARE: Final = 0.9
"""Of the time that an answer may take: the server gives up first, so that the connection can be used on."""


def limit(engine: Engine, repository: config.Repository, *, serving: bool) -> None:
    """Let connections of an engine find out that a server is silent; `serving`: and limit every statement."""
    from sqlalchemy import event

    if repository.dialect == "postgresql":
        if serving:
            event.listen(engine, "do_connect", _connecting(repository.timeout_s))
        event.listen(engine, "connect", _setting(_postgresql_settings(repository.timeout_s, serving)))
    else:
        event.listen(engine, "connect", _probing(tcp_options(repository.timeout_s)))


def driver_arguments(repository: config.Repository, *, serving: bool) -> dict[str, Any]:
    """Return the driver's arguments for a connection."""
    if repository.dialect == "mysql":
        timeout_s = repository.timeout_s
        limits = {"read_timeout": timeout_s, "write_timeout": timeout_s} if serving else {}
        return limits | {"init_command": _mysql_settings(timeout_s, serving)}
    options = tcp_options(repository.timeout_s)
    return {
        "keepalives_idle": options["TCP_KEEPIDLE"],
        "keepalives_interval": options["TCP_KEEPINTVL"],
        "keepalives_count": options["TCP_KEEPCNT"],
        "tcp_user_timeout": options["TCP_USER_TIMEOUT"],
    }


def _mysql_settings(timeout_s: float, serving: bool) -> str:
    whole, statement = math.ceil(timeout_s), SERVERS_SHARE * timeout_s
    settings = f"SET SESSION net_read_timeout = {whole}, net_write_timeout = {whole}"
    if serving:  # what is not known to both is in comments that the other passes over
        settings += (
            f" /*M!100300 , max_statement_time = {statement:.3f}, idle_transaction_timeout = {whole} */"
            f" /*!50708 , max_execution_time = {math.ceil(1000 * statement)} */"
        )
    return settings


def _postgresql_settings(timeout_s: float, serving: bool) -> dict[str, int]:
    options = tcp_options(timeout_s)
    settings = {
        "tcp_keepalives_idle": options["TCP_KEEPIDLE"],
        "tcp_keepalives_interval": options["TCP_KEEPINTVL"],
        "tcp_keepalives_count": options["TCP_KEEPCNT"],
        "tcp_user_timeout": options["TCP_USER_TIMEOUT"],
    }
    if serving:
        settings |= {
            "statement_timeout": math.ceil(1000 * SERVERS_SHARE * timeout_s),
            "idle_in_transaction_session_timeout": math.ceil(1000 * timeout_s),
        }
    return settings


def _setting(settings: dict[str, int]) -> Callable[[psycopg.Connection, object], None]:
    """Return what sets these for a session of PostgreSQL."""
    calls = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in settings.items())

    def set_them(connection: psycopg.Connection, _record: object) -> None:
        connection.execute(f"SELECT {calls}".encode())
        connection.commit()

    return set_them


def _probing(options: dict[str, int]) -> Callable[[Any, object], None]:
    """Return what lets a connection of PyMySQL probe the server."""

    def probe(connection: Any, _record: object) -> None:
        for name, value in options.items():
            connection._sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)  # it has no option

    return probe


def _connecting(timeout_s: float) -> Callable[..., psycopg.Connection]:
    """Return what connects to PostgreSQL, so that each answer is waited for so long: the driver would for ever."""
    import psycopg

    class Connection(psycopg.Connection):
        def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
            try:
                return super().wait(_answered(gen, timeout_s), *arguments, **options)
            except _SilentError as error:
                self.pgconn.finish()
                raise psycopg.OperationalError(str(error)) from None

    def connect(_dialect: object, _record: object, arguments: Any, options: Any) -> psycopg.Connection:
        return Connection.connect(*arguments, **options)

    return connect


class _SilentError(Exception):
    pass


def _answered(generator: Generator[Any, Any, Any], timeout_s: float) -> Generator[Any, Any, Any]:
    """Go on as the driver's generator does; raise when the server has sent nothing for so long."""
    try:
        wanted = next(generator)
        heard_at = monotonic()
        while True:
            ready = yield wanted
            if ready:
                heard_at = monotonic()
            elif monotonic() - heard_at >= timeout_s:
                raise _SilentError(f"the server does not answer: nothing came within {timeout_s:g} s")
            wanted = generator.send(ready)
    except StopIteration as end:
        return end.value
