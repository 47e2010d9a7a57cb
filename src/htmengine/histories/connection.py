"""Asks a server over HTTP, and says in words what went wrong."""

from __future__ import annotations

import base64
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import htmengine
from htmengine.errors import ExplainedError, MisuseError
from htmengine.system.backoff import Backoff, retry

TIMEOUT_S: Final = 120.0
"""A server that is silent for so long is away."""
TRIES_S: Final = 60.0
"""So long a server is asked again that is away or has too much to do."""
FIRST_TRIES_S: Final = 3.0
"""So long one that has not answered yet: its address may be wrong."""
FIRST_PAUSE_S: Final = 0.5
MAX_ADDRESS: Final = 4000
"""Characters of a query that stand in an address."""
MAX_SAID: Final = 300
"""Characters of a server's complaint that are shown."""
_PASSING: Final = frozenset((408, 425, 429, 500, 502, 503, 504))

Query = Mapping[str, str] | Sequence[tuple[str, str]]


class SourceUnavailable(ExplainedError):
    """A source does not answer, or not with what it was asked for."""


class _Passing(Exception):
    """What may be over when it is tried again."""


class Connection:
    """A server that holds histories.

    Parameters
    ----------
    url : of its API, without a query.
    token : sent as a bearer token; `user` and `password` likewise by Basic authentication.

    Raises
    ------
    MisuseError : the address cannot be one.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        user: str | None = None,
        password: str = "",
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise MisuseError(f"{url!r} is no address.", hint="Give one such as http://prometheus:9090.")
        if parts.username or parts.password:
            raise MisuseError(
                "The address holds a password, which other programs can see.",
                hint="Give --user, and --password-file with a file that holds it.",
            )
        self.url = url.rstrip("/")
        self._headers = {"User-Agent": f"htmengine/{htmengine.__version__}"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        elif user is not None:
            coded = base64.b64encode(f"{user}:{password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {coded}"
        self._sleep = sleep
        self._has_answered = False
        # Only what is given is asked: the environment's proxies are for other programs.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def document(self, path: str, query: Query) -> Any:
        """Return the JSON document that a server answers. Raises SourceUnavailable."""

        def ask() -> Any:
            try:
                with closing(self._open(path, query)) as answer:
                    return json.load(answer)
            except (OSError, http.client.HTTPException) as error:
                raise _Passing(_words(error)) from error
            except ValueError as error:
                raise self._failure(path, "answers with what is no JSON") from error

        return self._trying(path, ask)

    def lines(self, path: str, query: Query) -> Iterator[Any]:
        """Yield the JSON documents that a server answers, one a line. Raises SourceUnavailable."""
        answer = self._trying(path, lambda: self._open(path, query))
        try:
            with closing(answer):
                for line in answer:
                    if line.strip():
                        yield json.loads(line)
        except (OSError, http.client.HTTPException) as error:
            raise self._failure(path, f"broke off: {_words(error)}") from error
        except ValueError as error:
            raise self._failure(path, "answers with what is no JSON") from error

    def _trying(self, path: str, ask: Callable[[], Any]) -> Any:
        backoff = Backoff(FIRST_PAUSE_S, TRIES_S / 4)

        def worth(_: _Passing) -> bool:
            return backoff.waited_s < (TRIES_S if self._has_answered else FIRST_TRIES_S)

        try:
            return retry(ask, _Passing, backoff, worth=worth, sleep=self._sleep)
        except _Passing as error:
            raise self._failure(path, str(error)) from error

    def _open(self, path: str, query: Query) -> Any:
        asked = urlencode(query)
        # What is too long for an address is sent as a form, which these servers take likewise.
        address, form = (path, asked.encode()) if len(asked) > MAX_ADDRESS else (f"{path}?{asked}", None)
        request = urllib.request.Request(f"{self.url}{address}", data=form, headers=self._headers)
        try:
            answer = self._opener.open(request, timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            self._has_answered = True
            with closing(error):
                said = error.read(4096).decode(errors="replace")
            if error.code in _PASSING:
                raise _Passing(f"answers {error.code}: {_complaint(said)}") from error
            raise self._failure(path, f"answers {error.code}: {_complaint(said)}", error.code) from error
        except (OSError, http.client.HTTPException) as error:
            raise _Passing(f"cannot be reached: {_words(error)}") from error
        self._has_answered = True
        return answer

    def _failure(self, path: str, what: str, status: int | None = None) -> SourceUnavailable:
        if status in (401, 403):
            hint = "Give --token-file, or --user and --password-file, of somebody who may read."
        elif status == 404:
            hint = "Check the address: it is the one below which the server's API begins."
        else:
            hint = "Check the address and the server's log; then run the same command again: it goes on where it was."
        return SourceUnavailable(f"{self.url}{path} {what}.", hint=hint)


def _complaint(said: str) -> str:
    """Return what a server says of an error, in one line."""
    try:
        document = json.loads(said)
        said = str(document.get("error") or document.get("message") or said)
    except (ValueError, AttributeError):
        pass
    line = " ".join(said.split())
    return line if len(line) <= MAX_SAID else f"{line[:MAX_SAID]}…"


def _words(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or reason or type(reason).__name__)
