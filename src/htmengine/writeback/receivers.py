"""Where series go: a batch is delivered, or is to be sent again, or will never be taken."""

from __future__ import annotations

import gzip
import http.client
import socket
import ssl
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import htmengine
from htmengine import config
from htmengine.writeback import encoding
from htmengine.writeback.series import Batch

TIMEOUT_S: Final = 30.0
MAX_ANSWER: Final = 300
REFUSED: Final = frozenset({400, 413, 422})
"""Statuses that say that these series are not taken, however often they are sent. Others pass: a token can be mended."""


class Unavailable(Exception):
    """A receiver does not take series now; the text says why."""


class Refused(Exception):
    """A receiver will never take these series; the text says why."""


class Receiver(Protocol):
    """A place to which series go."""

    @property
    def name(self) -> str:
        """Which is one of three."""

    def send(self, batch: Batch) -> None:
        """Send series; return once the receiver has them. Raises Unavailable or Refused."""


def configured(settings: config.Writeback) -> list[Receiver]:
    """Return the receivers that the settings name."""
    found: list[Receiver] = []
    if settings.graphite:
        found.append(Graphite(*settings.graphite, settings.prefix))
    if settings.remote_write:
        found.append(RemoteWrite(settings.remote_write, settings.prefix, settings.remote_write_token_file))
    if settings.influx:
        found.append(Influx(settings.influx, settings.prefix, settings.influx_token_file))
    return found


class Graphite:
    """The plaintext protocol of Graphite.

    It has no answers. So a batch has a connection of its own, which the receiver closes when it has read it to its end.
    """

    name: Final = "graphite"

    def __init__(self, host: str, port: int, prefix: str) -> None:
        self._place = (host, port)
        self._prefix = prefix

    def send(self, batch: Batch) -> None:
        """Send series; return once the receiver has read them. Raises Unavailable."""
        lines = encoding.graphite_lines(batch, self._prefix)
        if not lines:
            return
        try:
            with socket.create_connection(self._place, timeout=TIMEOUT_S) as peer:
                peer.sendall(lines)
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(4096):
                    pass
        except TimeoutError:
            raise Unavailable(f"it has not read what was sent within {TIMEOUT_S:.0f} seconds") from None
        except OSError as error:
            raise Unavailable(error.strerror or str(error)) from None


class _Http:
    """A receiver over HTTP. Redirects are not followed."""

    def __init__(self, url: str, scheme: str, token_file: Path | None) -> None:
        self._url = urlsplit(url)
        self._scheme = scheme
        self._token_file = token_file
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, headers: dict[str, str], query: str = "") -> None:
        """Post a body. Raises Unavailable or Refused."""
        sent = {"User-Agent": f"htmengine/{htmengine.__version__}", **headers}
        try:
            if self._token_file is not None:
                sent["Authorization"] = f"{self._scheme} {self._token_file.read_text('utf-8').strip()}"
            connection = self._connected()
            target = self._url.path or "/"
            queries = [part for part in (self._url.query, query) if part]
            connection.request("POST", f"{target}?{'&'.join(queries)}" if queries else target, body, sent)
            answer = connection.getresponse()
            text = " ".join(answer.read().decode("utf-8", "replace").split())[:MAX_ANSWER]
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise Unavailable(
                getattr(error, "strerror", None) or str(error) or type(error).__name__
            ) from None
        if 200 <= answer.status < 300:
            return
        said = f"it answers {answer.status} {answer.reason}{f': {text}' if text else ''}"
        raise Refused(said) if answer.status in REFUSED else Unavailable(said)

    def close(self) -> None:
        """Close the connection; the next batch opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            host = self._url.hostname or ""
            self._connection = (
                http.client.HTTPSConnection(
                    host, self._url.port, timeout=TIMEOUT_S, context=ssl.create_default_context()
                )
                if self._url.scheme == "https"
                else http.client.HTTPConnection(host, self._url.port, timeout=TIMEOUT_S)
            )
        return self._connection


class RemoteWrite(_Http):
    """Prometheus' remote write 1.0, as Prometheus, VictoriaMetrics, Mimir and others take it."""

    name: Final = "remote_write"

    def __init__(self, url: str, prefix: str, token_file: Path | None) -> None:
        super().__init__(url, "Bearer", token_file)
        self._prefix = prefix

    def send(self, batch: Batch) -> None:
        """Send series. Raises Unavailable or Refused."""
        headers = {
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "snappy",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        self.post(encoding.remote_write(batch, self._prefix), headers)


class Influx(_Http):
    """InfluxDB's line protocol, by either of its addresses for writing."""

    name: Final = "influx"

    def __init__(self, url: str, measurement: str, token_file: Path | None) -> None:
        super().__init__(url, "Token", token_file)
        self._measurement = measurement

    def send(self, batch: Batch) -> None:
        """Send series. Raises Unavailable or Refused."""
        body = encoding.influx_lines(batch, self._measurement)
        if body:
            headers = {"Content-Type": "text/plain; charset=utf-8", "Content-Encoding": "gzip"}
            self.post(gzip.compress(body, 1), headers, "precision=s")
