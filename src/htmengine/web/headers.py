"""What every answer carries, and which hosts are served at all."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from htmengine.web import problems
from htmengine.web.problems import Problem

CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY: Final = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class SecurityHeaders:
    """Gives each request an identifier, and each answer the headers that keep browsers safe."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["htmengine.request_id"] = secrets.token_hex(8)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
                headers.setdefault("X-Request-Id", scope["htmengine.request_id"])
            await send(message)

        await self._app(scope, receive, sending)


class HostCheck:
    """Refuses requests for other hosts, so that no foreign page reaches this server under a name of its own.

    A numeric address is always taken: only names can be made to lead elsewhere.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        """`allowed`: names in lower case; `*` allows every name."""
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            host = host_name(Headers(scope=scope).get("host", ""))
            if not (host in self._allowed or "*" in self._allowed or _is_address(host)):
                problem = Problem(
                    problems.HOST_UNKNOWN,
                    f"{host[:100]!r} is not served; add it to [http] allowed_hosts in application.conf.",
                )
                await problem.response(scope.get("htmengine.request_id", ""))(scope, receive, send)
                return
        await self._app(scope, receive, send)


def host_name(header: str) -> str:
    """Return the name in a Host header, without its port, in lower case."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
