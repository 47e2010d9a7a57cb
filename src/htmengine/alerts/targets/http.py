"""Posting to a receiver over HTTP, and what its answer means.

Redirects are not followed, and proxies are used only where a setting names one: neither the receiver nor the environment
decides where a notice goes.
"""

from __future__ import annotations

import base64
import email.utils
import http.client
import re
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit

import htmengine
from htmengine.alerts.targets.api import MAX_RETRY_AFTER_S, Delivered, Gone, Outcome, Refused, Retry
from htmengine.alerts.targets.connections import Deadline, TooLate, connected
from htmengine.alerts.targets.secrets import HIDDEN, Secret, SecretUnavailable, hide
from htmengine.alerts.targets.texts import one_line
from htmengine.alerts.targets.tls import Tls

MAX_ANSWER: Final = 4096
"""Bytes of an answer that are read."""
MAX_REASON: Final = 200
JSON: Final = "application/json"

_PORTS: Final = {"http": 80, "https": 443}
_RETRIED: Final = frozenset((HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS))
_MAX_PROXY_HEAD: Final = 8192
_SAFE: Final = "/%:@!$&'()*+,;=~-._?"
"""What stands as it is in paths and queries."""


class Url(NamedTuple):
    """An address, taken apart."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query."""
    user: str = ""
    """With the password, as `user:password`; empty for none."""

    @property
    def authority(self) -> str:
        """Host and port as the header `Host` says them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """The address for people, without what may be secret."""
        return f"{self.scheme}://{self.authority}{'' if self.target in ('', '/') else f'/{HIDDEN}'}"


def parse_url(text: str) -> Url:
    """Return an address, taken apart. Raises ValueError that says what is wrong, without the address."""
    if not text.isprintable() or " " in text:
        raise ValueError("is no address: it has blanks or characters that nobody sees")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("is no address; write it as https://host/path") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("is no address; write it as https://host/path")
    try:
        host = parts.hostname if ":" in parts.hostname else parts.hostname.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError("has a host that is no name") from None
    if port == 0:
        raise ValueError("has the port 0")
    path = quote(parts.path or "/", safe=_SAFE)
    query = f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""
    user = ""
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Url(parts.scheme, host, port or _PORTS[parts.scheme], path + query, user)


class Answer(NamedTuple):
    """What a receiver answered."""

    status: int
    phrase: str
    retry_after: str | None
    body: str
    """The beginning of it."""


class Receiver:
    """Where requests go, and how.

    Parameters
    ----------
    url : where to. It is a secret where its path is one.
    tls : whom to trust.
    authorization : value of the header; None for none.
    proxy : address of one, over which all goes; None for none.
    allow_link_local : also send to addresses where clouds keep credentials.
    clock : seconds since the epoch.
    """

    def __init__(
        self,
        url: Secret,
        *,
        tls: Tls | None = None,
        authorization: Callable[[], str] | None = None,
        proxy: Secret | None = None,
        allow_link_local: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._tls = tls or Tls()
        self._authorization = authorization
        self._proxy = proxy
        self._allow_link_local = allow_link_local
        self._clock = clock
        # Looked up once: it is read from files, which an upgrade replaces under an engine that runs.
        self._agent = f"htmengine/{htmengine.__version__}"

    @property
    def shown(self) -> str:
        """Its address for people, without what may be secret."""
        try:
            return parse_url(self._url.reveal()).shown
        except (SecretUnavailable, ValueError):
            return self._url.source

    def post(
        self,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        path: str = "",
        hidden: Collection[str] = (),
    ) -> Outcome:
        """Post a body of JSON, and return what came of it.

        Parameters
        ----------
        path : is put behind that of the address.
        hidden : further secrets, which are not to be seen in the reason.
        """
        secrets = list(hidden)
        try:
            address = _revealed(self._url)
            secrets += [address.target, *([address.user] if address.user else [])]
            if path:
                base, mark, query = address.target.partition("?")
                address = address._replace(target=f"{base.rstrip('/')}{path}{mark}{query}")
            sent = {"Content-Type": JSON, "User-Agent": self._agent}
            if self._authorization is not None:
                sent["Authorization"] = self._authorization()
                secrets.append(sent["Authorization"])
            elif address.user:
                sent["Authorization"] = basic(address.user)
            answer = self._answer(address, body, sent | dict(headers or {}))
        except ssl.SSLCertVerificationError as error:
            return Retry(f"its certificate is not trusted: {error.verify_message}")
        except (OSError, http.client.HTTPException) as error:
            return Retry(explained(error))
        return outcome(
            answer._replace(phrase=hide(answer.phrase, secrets), body=hide(answer.body, secrets)),
            self._clock(),
        )

    def _answer(self, address: Url, body: bytes, headers: dict[str, str]) -> Answer:
        deadline = Deadline()
        proxy = None if self._proxy is None else _revealed(self._proxy)
        first = proxy or address
        with (
            connected(first.host, first.port, deadline, allow_link_local=self._allow_link_local) as sock,
            self._over(sock, address, proxy) as encrypted,
        ):
            connection = http.client.HTTPConnection(address.host, address.port)
            # With a socket, it neither resolves nor connects.
            connection.sock = encrypted
            target = address.target
            if proxy is not None and address.scheme == "http":
                target = f"http://{address.authority}{target}"
                headers = headers | _proxy_headers(proxy)
            headers = {"Host": address.authority, "Connection": "close", **headers}
            connection.request("POST", target, body, headers)
            response = connection.getresponse()
            with response:
                begin = response.read(MAX_ANSWER).decode("utf-8", "replace")
                return Answer(response.status, response.reason, response.getheader("Retry-After"), begin)

    @contextmanager
    def _over(self, sock: socket.socket, address: Url, proxy: Url | None) -> Iterator[socket.socket]:
        """Give the connection on which the receiver itself is spoken to."""
        if proxy is not None and proxy.scheme == "https":
            raise OSError(
                "the proxy is to be an http:// address: what passes through it to https:// is encrypted"
            )
        if address.scheme == "http":
            yield sock
            return
        if proxy is not None:
            _open_tunnel(sock, address, proxy)
        with self._tls.context().wrap_socket(sock, server_hostname=address.host) as encrypted:
            yield encrypted


def _revealed(secret: Secret) -> Url:
    try:
        return parse_url(secret.reveal())
    except ValueError as error:
        raise SecretUnavailable(f"{secret.source} {error}") from None


def basic(user: str) -> str:
    """Return the value of the header `Authorization` for `user:password`."""
    return f"Basic {base64.b64encode(user.encode()).decode()}"


def _proxy_headers(proxy: Url) -> dict[str, str]:
    return {"Proxy-Authorization": basic(proxy.user)} if proxy.user else {}


def _open_tunnel(sock: socket.socket, address: Url, proxy: Url) -> None:
    where = f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"
    lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
    lines += [f"{name}: {value}" for name, value in _proxy_headers(proxy).items()]
    sock.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1"))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)  # what follows the head belongs to the receiver
        if not byte or len(head) >= _MAX_PROXY_HEAD:
            raise OSError("the proxy ended the connection")
        head += byte
    found = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    if found is None or not found[1].startswith(b"2"):
        said = one_line(head.split(b"\r\n")[0].decode("latin-1"), MAX_REASON)
        raise OSError(f"the proxy does not connect to {address.authority}: {said}")


def explained(error: OSError | http.client.HTTPException) -> str:
    """Return why a receiver was not reached, for people."""
    if isinstance(error, http.client.RemoteDisconnected | http.client.IncompleteRead):
        return "the receiver ended the connection without an answer"
    if isinstance(error, http.client.HTTPException):
        return f"the receiver speaks no HTTP ({type(error).__name__})"
    if isinstance(error, TimeoutError):
        return str(error) if isinstance(error, TooLate) else "it took too long"
    if isinstance(error, ssl.SSLError):
        return one_line(f"TLS: {error.reason or error}", MAX_REASON)
    return one_line(error.strerror or str(error) or type(error).__name__, MAX_REASON)


def outcome(answer: Answer, now: float) -> Outcome:
    """Return what an answer means.

    Parameters
    ----------
    now : seconds since the epoch.
    """
    said = next((line.strip() for line in answer.body.splitlines() if line.strip()), "")
    status = " ".join(filter(None, (f"HTTP {answer.status}", answer.phrase)))
    reason = one_line(f"{status}: {said}" if said else status, MAX_REASON)
    if 200 <= answer.status < 300:
        return Delivered()
    if 300 <= answer.status < 400:
        return Refused(
            one_line(f"{status}: redirects are not followed; set the address that is meant", MAX_REASON)
        )
    if answer.status == HTTPStatus.GONE:
        return Gone(reason)
    if answer.status in _RETRIED or answer.status >= 500:
        return Retry(reason, retry_after_s(answer.retry_after, now))
    return Refused(reason)


def retry_after_s(value: str | None, now: float) -> float | None:
    """Return the pause that a header `Retry-After` asks for, in seconds or as a date; None for none, or one that is no value."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        # Longer numbers are above the limit, and Python reads none of thousands of digits.
        seconds = float(text[:12])
    else:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - now
        except (ValueError, OverflowError):
            return None
    return min(seconds, MAX_RETRY_AFTER_S) if seconds > 0 else None
