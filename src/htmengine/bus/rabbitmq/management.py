"""What only the broker's management interface tells: which queues there are, and whether anyone is bound to an exchange."""

from __future__ import annotations

import base64
import http.client
import json
import logging
import threading
import time
from typing import Any, Final
from urllib.parse import quote

from htmengine.config import Broker
from htmengine.config.tls import client_context
from htmengine.system.closing import Closing

TIMEOUT_S: Final = 2.0
"""How long a service waits for an answer: it could do without."""
ABSENT_FOR_S: Final = 60.0
"""How long an interface that did not answer is not asked again."""
BOUND_FOR_S: Final = 5.0
"""How long it is taken for granted that a queue which was bound still is: at worst, messages are made for nobody."""
REFUSALS: Final = (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN)

log = logging.getLogger(__name__)


class Management(Closing):
    """Asks over one connection that is kept, with the user of the bus; encrypted if the bus is. For several threads."""

    def __init__(self, broker: Broker, *, timeout_s: float = TIMEOUT_S) -> None:
        """Raises ConfigError for TLS files that cannot be used. Nothing is connected yet."""
        context = client_context(broker)
        self._broker = broker
        self._lock = threading.Lock()
        self._ask_again_at = 0.0
        self._bound_until: dict[str, float] = {}
        where = broker.host, broker.management_port
        self._connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(*where, timeout=timeout_s, context=context)
            if context
            else http.client.HTTPConnection(*where, timeout=timeout_s)
        )
        user = base64.b64encode(f"{broker.user}:{broker.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {user}"}

    def queues(self, virtual_host: str | None = None) -> list[dict[str, Any]]:
        """Return name and number of ready messages, `name` and `messages_ready`, of all queues that this user may see.

        The numbers are some seconds old; a queue that is new may have none yet. Raises OSError.
        """
        below = "" if virtual_host is None else f"/{quote(virtual_host, safe='')}"
        with self._lock:
            found: list[dict[str, Any]] = self._get(f"queues{below}?columns=name,messages_ready")
        return found

    def is_bound(self, exchange: str) -> bool:
        """Return whether something is bound to an exchange; True where the interface does not tell."""
        with self._lock:
            now = time.monotonic()
            if now < self._ask_again_at or now < self._bound_until.get(exchange, 0.0):
                return True
            virtual_host, name = (quote(part, safe="") for part in (self._broker.virtual_host, exchange))
            try:
                bound = bool(self._get(f"exchanges/{virtual_host}/{name}/bindings/source"))
            except OSError as error:
                self._ask_again_at = now + ABSENT_FOR_S
                log.info(
                    "bus.management_absent host=%s port=%d reason=%s",
                    self._broker.host,
                    self._broker.management_port,
                    error,
                )
                return True
            if bound:
                self._bound_until[exchange] = now + BOUND_FOR_S
            return bound

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def _get(self, path: str) -> Any:
        was_kept = self._connection.sock is not None
        try:
            try:
                return self._ask(path)
            except ConnectionError:
                if not was_kept:
                    raise
                self._connection.close()  # the other side had closed it, since nothing was asked for long
                return self._ask(path)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection.close()
            raise OSError(
                f"management interface at {self._broker.host}:{self._broker.management_port}: {error}"
            ) from error

    def _ask(self, path: str) -> Any:
        self._connection.request("GET", f"/api/{path}", headers=self._headers)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != http.HTTPStatus.OK:
            hint = ": does the user have the tag management?" if response.status in REFUSALS else ""
            raise OSError(f"{response.status} {response.reason}{hint}")
        return json.loads(body)
