"""Who may do what: tokens, sessions of browsers, and protection against requests from other sites' pages."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from htmengine import config
from htmengine.errors import ExplainedError
from htmengine.repository import tokens
from htmengine.repository.database import Database
from htmengine.repository.tokens import Session, Token
from htmengine.web import problems
from htmengine.web.headers import LOOPBACK, host_name
from htmengine.web.problems import Problem

Scope = Literal["read", "write", "teach", "admin"]
SCOPES: Final[tuple[Scope, ...]] = ("read", "write", "teach", "admin")
"""What a token allows: looking, sending samples, labels and acknowledgements, everything."""
SESSION_S: Final = 12 * 3600.0
USED_EVERY_S: Final = 60.0
"""So often it is noted that a token is used."""
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
FORWARDING: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""Headers of proxies: whoever asks through one is not on this machine."""
BURST_S: Final = 10.0
FAILURES_PER_S: Final = 0.2
FAILURES_BURST_S: Final = 50.0
"""Wrong tokens are looked up so often: ten at once, and one each five seconds."""
MAX_CLIENTS: Final = 10_000

audit_log = logging.getLogger("htmengine.web.audit")


class NoTokenError(ExplainedError):
    """Other machines could reach the server, and nothing would keep them from changing everything."""


class Principal(NamedTuple):
    """Who asks."""

    name: str
    scopes: tuple[str, ...]
    token_id: str | None = None

    def may(self, scope: str) -> bool:
        """Tell whether a scope is allowed."""
        return scope in self.scopes or "admin" in self.scopes


LOCAL: Final = Principal("this machine", SCOPES)
"""Whoever asks on this machine, where no token is needed."""


def require_token(database: Database, http: config.Http) -> None:
    """Raise NoTokenError where other machines could connect and there is no token."""
    if http.is_local and not http.require_token:
        return
    with database.read() as conn:
        if tokens.every_token(conn):
            return
    raise NoTokenError(
        f"{http.host}:{http.port}: other machines could connect here, and nobody has a token yet.",
        hint="Make one first: htmengine tokens create NAME --scope admin. Or serve this machine alone: "
        "--http-host 127.0.0.1.",
    )


class Bucket:
    """Requests that a client may still send: it fills again in time."""

    __slots__ = ("_at", "_left")

    def __init__(self, burst: float, now: float) -> None:
        self._left = burst
        self._at = now

    def take(self, rate: float, burst: float, now: float) -> float:
        """Take one; return 0, or how many seconds to wait where there is none."""
        self._left = min(burst, self._left + (now - self._at) * rate)
        self._at = now
        if self._left < 1.0:
            return (1.0 - self._left) / rate
        self._left -= 1.0
        return 0.0


class RateLimit:
    """So many requests a second for each client, and more for a short time."""

    def __init__(
        self, rate: float, *, burst_s: float = BURST_S, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = max(1.0, rate * burst_s)
        self._timer = timer
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, client: str) -> None:
        """Count a request. Raises Problem where there were too many."""
        now = self._timer()
        with self._lock:
            bucket = self._buckets.get(client)
            if bucket is None:
                bucket = self._buckets[client] = Bucket(self._burst, now)
                while len(self._buckets) > MAX_CLIENTS:
                    self._buckets.popitem(last=False)
            self._buckets.move_to_end(client)
            wait_s = bucket.take(self._rate, self._burst, now)
        if wait_s:
            wait = int(wait_s) + 1
            raise Problem(
                problems.TOO_MANY_REQUESTS,
                f"Wait {wait} s; {self._rate:g} requests a second are answered in the long run.",
                headers={"Retry-After": str(wait)},
            )


class Access:
    """Decides whether a request is answered.

    Parameters
    ----------
    clock : seconds since the epoch.
    """

    def __init__(
        self,
        settings: config.Http,
        database: Database,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._requests = RateLimit(settings.requests_per_s)
        self._failures = RateLimit(FAILURES_PER_S, burst_s=FAILURES_BURST_S)
        self._tokens: dict[str, Token] = {}
        self._sessions: dict[str, Session] = {}
        self._used: dict[str, float] = {}
        self._noted: dict[str, float] = {}

    def reload(self) -> None:
        """Read tokens and sessions again, and note which were used. Raises RepositoryUnavailable."""
        with self._database.read() as conn:
            self._tokens, self._sessions = tokens.every_token(conn), tokens.every_session(conn)
        due = {
            token: at for token, at in self._used.items() if at - self._noted.get(token, 0.0) > USED_EVERY_S
        }
        if due:
            with self._database.write() as conn:
                tokens.used(conn, list(due), max(due.values()))
            self._noted |= due

    def client(self, request: Request) -> str:
        """Return the address of whoever asks: the last that no proxy of ours has."""
        peer = request.client.host if request.client else ""
        if peer in self._settings.trusted_proxies:
            for hop in reversed(request.headers.get("x-forwarded-for", "").split(",")):
                if (hop := hop.strip()) and hop not in self._settings.trusted_proxies:
                    return hop[:45]
        return peer

    def is_secure(self, request: Request) -> bool:
        """Tell whether the browser speaks HTTPS."""
        peer = request.client.host if request.client else ""
        if peer in self._settings.trusted_proxies and "x-forwarded-proto" in request.headers:
            return request.headers["x-forwarded-proto"].lower() == "https"
        return request.url.scheme == "https"

    def is_open(self, request: Request) -> bool:
        """Tell whether a request needs no token: it comes from this machine, and directly."""
        if self._settings.require_token or not self._settings.is_local:
            return False
        if any(header in request.headers for header in FORWARDING):
            return False
        peer = request.client.host if request.client else ""
        return host_name(request.headers.get("host", "")) in LOOPBACK and _is_loopback(peer)

    def principal(self, request: Request) -> Principal | None:
        """Return who asks; None where nobody knows. May wait for the repository.

        Raises Problem for a token that is not known, where it was shown too often.
        """
        secret = _shown_token(request)
        if secret is not None:
            digest = tokens.digest_of(secret)
            if digest not in self._tokens:
                self._failures.check(self.client(request))
                self.reload()
            if token := self._tokens.get(digest):
                return self._known(token)
            return None
        if cookie := request.cookies.get(self.cookie_name(request)):
            digest = tokens.digest_of(cookie)
            if digest not in self._sessions:
                self._failures.check(self.client(request))
                self.reload()
            session = self._sessions.get(digest)
            if session and session.expires_at > self._clock():
                for token in self._tokens.values():
                    if token.id == session.token_id:
                        return self._known(token)
        return LOCAL if self.is_open(request) else None

    def require(self, request: Request, scope: Scope | None) -> Principal | None:
        """Return who asks. Raises Problem where that is not enough for a scope, or the client asks too often."""
        client = self.client(request)
        self._requests.check(client)
        if request.method not in SAFE:
            require_same_origin(request)
        principal = self.principal(request)
        if scope is None:
            return principal
        if principal is None:
            raise Problem(
                problems.TOKEN_NEEDED,
                "Send the header Authorization: Bearer with a token; htmengine tokens create makes one.",
                headers={"WWW-Authenticate": 'Bearer realm="htmengine"'},
            )
        if not principal.may(scope):
            raise Problem(
                problems.SCOPE_MISSING,
                f"This needs the scope {scope}; the token has {', '.join(principal.scopes) or 'none'}.",
            )
        return principal

    def require_sender(self, request: Request) -> Principal | None:
        """Return who sends samples. Raises Problem as `require` does.

        On this machine a token is not looked at: clients of InfluxDB show a user and a password unasked.
        """
        if not self.is_open(request):
            return self.require(request, "write")
        self._requests.check(self.client(request))
        require_same_origin(request)
        return LOCAL

    def audit(self, request: Request, what: str, principal: Principal | None) -> None:
        """Write down what was changed, and by whom."""
        audit_log.info(
            "web.changed who=%r client=%s operation=%s path=%s request=%s",
            principal.name if principal else "nobody",
            self.client(request),
            what,
            request.url.path,
            request.scope.get("htmengine.request_id"),
        )

    def cookie_name(self, request: Request) -> str:
        """Return the name of the session's cookie; over HTTPS browsers hold it to this host alone."""
        return "__Host-htm" if self.is_secure(request) else "htm"

    def log_in(self, request: Request, secret: str, response: Response) -> Principal:
        """Begin a session with a token and set its cookie. Raises Problem."""
        digest = tokens.digest_of(secret)
        if digest not in self._tokens:
            self._failures.check(self.client(request))
            self.reload()
        token = self._tokens.get(digest)
        if token is None:
            raise Problem(problems.TOKEN_NEEDED, "There is no such token: it is mistyped, or was revoked.")
        with self._database.write() as conn:
            cookie = tokens.begin_session(conn, token.id, now=self._clock(), lasts_s=SESSION_S)
        self.reload()
        response.set_cookie(
            self.cookie_name(request),
            cookie,
            max_age=int(SESSION_S),
            path="/",
            secure=self.is_secure(request),
            httponly=True,
            samesite="lax",
        )
        return self._known(token)

    def log_out(self, request: Request, response: Response) -> None:
        """End the session of a request, if it has one."""
        name = self.cookie_name(request)
        if cookie := request.cookies.get(name):
            with self._database.write() as conn:
                tokens.end_session(conn, cookie)
            self.reload()
        response.delete_cookie(name, path="/", secure=self.is_secure(request), httponly=True, samesite="lax")

    def _known(self, token: Token) -> Principal:
        self._used[token.id] = self._clock()
        return Principal(token.name, token.scopes, token.id)


def require_same_origin(request: Request) -> None:
    """Raise Problem where another site's page makes a browser change something here.

    Browsers say so by Sec-Fetch-Site, older ones by Origin; what says neither is no browser, and what shows a token is
    none that was misled.
    """
    if _shown_token(request) is not None:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        origin = request.headers.get("origin")
        allowed = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not allowed:
        raise Problem(problems.CROSS_ORIGIN, "Use the page of this server itself, or a token.")


def _shown_token(request: Request) -> str | None:
    """Return the token in the header Authorization, in any of the forms in which clients send one."""
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    match kind.lower():
        case "bearer" | "token":
            return text.strip()
        case "basic":
            try:
                return base64.b64decode(text, validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return ""
    return None


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
