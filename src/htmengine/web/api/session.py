"""Who is asking, and what the page needs to know first."""

from __future__ import annotations

import socket
from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import Response

import htmengine
from htmengine.web import problems
from htmengine.web.access import SCOPES
from htmengine.web.operations import Call, Operations
from htmengine.web.shapes import Session

operations = Operations()


@operations("GET", "/session", None)
def session(call: Call) -> Session:
    """Tell who is asking and what they may do, and where this server is."""
    principal = call.principal
    settings, access = call.site.context.settings, call.site.access
    server = call.request.scope.get("server") or ("", 0)
    return Session(
        version=htmengine.__version__,
        token_needed=not access.is_open(call.request),
        scopes=list(
            SCOPES if principal and principal.may("admin") else principal.scopes if principal else ()
        ),
        server_time=call.site.clock(),
        public_url=settings.http.public_url,
        graphite_port=settings.listener.port,
        http_port=int(server[1] or 0),
        hostname=socket.gethostname(),
        grafana_url=settings.http.grafana_url,
        record=call.site.record,
    )


class Login(Struct, frozen=True):
    """A token, to begin a session with."""

    token: Annotated[str, Meta(min_length=1, max_length=200)]


@operations("POST", "/session", None, problems.TOKEN_NEEDED)
def log_in(call: Call, body: Login) -> Response:
    """Begin a session for a browser: the answer sets a cookie that stands for the token for twelve hours."""
    response = Response(status_code=204)
    call.site.access.log_in(call.request, body.token, response)
    return response


@operations("DELETE", "/session", None)
def log_out(call: Call) -> Response:
    """End the session of this browser."""
    response = Response(status_code=204)
    call.site.access.log_out(call.request, response)
    return response
