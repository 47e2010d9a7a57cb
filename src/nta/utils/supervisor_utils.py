"""What supervisord says of the services."""

from __future__ import annotations

from typing import Any
from xmlrpc.client import ServerProxy


class SupervisorClient:
    """Supervisord's own functions over XML-RPC, each as a method: `getState()`, `getAllProcessInfo()` and so on.

    Parameters
    ----------
    serverUrl : of supervisord's inet_http_server, for example http://127.0.0.1:9001.
    """

    def __init__(self, serverUrl: str) -> None:
        self._server = ServerProxy(serverUrl.rstrip("/") + "/RPC2")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._server.supervisor, name)
