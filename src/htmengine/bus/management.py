"""What only the broker's management interface tells: whether anyone is bound to an exchange."""

from __future__ import annotations

import base64
import http.client
import json
import logging
import ssl
import threading
import time
from typing import Final
from urllib.parse import quote

from htmengine.config import Broker

TIMEOUT_S: Final = 2.0
ABSENT_FOR_S: Final = 60.0
"""How long an interface that did not answer is not asked again."""
BOUND_FOR_S: Final = 5.0
"""How long it is taken for granted that a queue which was bound still is: at worst, messages are made for nobody."""

log = logging.getLogger(__name__)


class Management:
    """Asks over one connection that is kept, with the user of the bus. Safe to use from several threads."""

    def __init__(self, broker: Broker, context: ssl.SSLContext | None) -> None:
        """`context`: of TLS, which the interface has if the broker has it."""
        self._broker = broker
        self._lock = threading.Lock()
        self._ask_again_at = 0.0
        self._bound_until: dict[str, float] = {}
        where = broker.host, broker.management_port
        self._connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(*where, timeout=TIMEOUT_S, context=context)
            if context
            else http.client.HTTPConnection(*where, timeout=TIMEOUT_S)
        )
        user = base64.b64encode(f"{broker.user}:{broker.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {user}"}

    def is_bound(self, exchange: str) -> bool:
        """Return whether something is bound to an exchange; True where the interface does not tell."""
        with self._lock:
            now = time.monotonic()
            if now < self._ask_again_at or now < self._bound_until.get(exchange, 0.0):
                return True
            path = f"/api/exchanges/{quote(self._broker.virtual_host, safe='')}/{quote(exchange, safe='')}/bindings/source"
            try:
                self._connection.request("GET", path, headers=self._headers)
                response = self._connection.getresponse()
                body = response.read()
                if response.status != http.HTTPStatus.OK:
                    raise OSError(f"{response.status} {response.reason}")
                bound = bool(json.loads(body))
            except (OSError, http.client.HTTPException, ValueError) as error:
                self._connection.close()
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
