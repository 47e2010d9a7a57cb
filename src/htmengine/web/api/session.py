"""Who is asking, and what the page needs to know first."""

from __future__ import annotations

import socket

import htmengine
from htmengine.web.operations import Call, Operations
from htmengine.web.shapes import Session

operations = Operations()


@operations("GET", "/session", None)
def session(call: Call) -> Session:
    """Tell who is asking and what they may do, and where this server is."""
    settings, access = call.site.context.settings, call.site.access
    server = call.request.scope.get("server") or ("", 0)
    return Session(
        version=htmengine.__version__,
        token_needed=access.token_needed(call.request),
        scopes=access.scopes(call.request),
        server_time=call.site.clock(),
        public_url=None,
        graphite_port=settings.listener.port,
        http_port=int(server[1] or 0),
        hostname=socket.gethostname(),
    )
