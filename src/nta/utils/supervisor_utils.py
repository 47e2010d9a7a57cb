"""What supervisord says of the services."""

from __future__ import annotations

import socket
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any, Final
from xmlrpc.client import ProtocolError, ServerProxy, Transport

_SOCKET: Final = "unix://"
TIMEOUT_S: Final = 10.0
"""How long an answer over a socket may take."""


class SupervisorClient:
    """Supervisord's own functions over XML-RPC, each as a method: `getState()`, `getAllProcessInfo()` and so on.

    Parameters
    ----------
    serverUrl : of supervisord's inet_http_server, for example http://127.0.0.1:9001, or of its unix_http_server, for
        example unix:///srv/app/logs/supervisor.sock.
    """

    def __init__(self, serverUrl: str) -> None:
        if serverUrl.startswith(_SOCKET):
            transport = _SocketTransport(serverUrl.removeprefix(_SOCKET))
            self._server = ServerProxy("http://localhost/RPC2", transport)
        else:
            self._server = ServerProxy(serverUrl.rstrip("/") + "/RPC2")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._server.supervisor, name)


class _SocketTransport(Transport):
    """Talks to a socket, with a connection for each call."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> HTTPConnection:
        return _SocketConnection(self._path)

    def single_request(self, host: Any, handler: str, request_body: Any, verbose: bool = False) -> Any:
        self.verbose = verbose
        connection = self.send_request(host, handler, request_body, verbose)
        try:
            response = connection.getresponse()
            if response.status != HTTPStatus.OK:
                raise ProtocolError(self._path, response.status, response.reason, dict(response.getheaders()))
            return self.parse_response(response)
        finally:
            connection.close()


class _SocketConnection(HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        opened = socket.socket(socket.AF_UNIX)
        try:
            opened.settimeout(TIMEOUT_S)
            opened.connect(self._path)
        except OSError:
            opened.close()
            raise
        self.sock = opened
