"""The stream of results: a ring of what was published last, from which every reader takes at its own pace.

What came within the last seconds is there as rows, since readers want it now. What is older is there for those that resume:
as the messages that it came in, compressed, so that five minutes of a busy engine need some tens of megabytes.

Readers have no buffers of their own. Each knows its place in the ring; one that is so slow, or was away for so long,
that its place has left the ring is told so and begins anew. Whoever publishes never waits for a reader.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Final, Literal, NamedTuple

import msgspec
import zstandard

from htmengine.messages import BatchRow, decode_results_batch
from htmengine.runtime.metric_storer import name_patterns
from htmengine.web.fleet import cause_and_direction

KEPT_S: Final = 300.0
KEPT_RESULTS: Final = 500_000
DECODED_S: Final = 5.0
"""Results that are younger are kept decoded."""
PING_S: Final = 15.0
RETRY_MS: Final = 2000
COLUMNS: Final = ("uid", "rowid", "time", "value", "log_score", "cause", "direction", "one_in")

Kind = Literal["results", "incidents", "health"]
KINDS: Final[tuple[Kind, ...]] = ("results", "incidents", "health")


class Filter(NamedTuple):
    """What a reader wants to see."""

    kinds: frozenset[str] = frozenset(KINDS)
    match: str = ""
    """Pattern of names."""
    min_score: float = 0.0
    uid: str | None = None

    @property
    def everything(self) -> bool:
        """Whether all results pass."""
        return not self.match and self.min_score <= 0.0 and self.uid is None

    def passes(self, row: BatchRow) -> bool:
        """Tell whether the reader wants a row."""
        return bool(
            self.uid in (None, row.uid)
            and row.log_score >= self.min_score
            and (not self.match or _fits(self.match)(row.name))
        )


@lru_cache(maxsize=256)
def _fits(pattern: str) -> name_patterns.Fits:
    return name_patterns.glob(pattern)


class Event:
    """Something that was published; its texts are made once, however many readers want the same.

    Parameters
    ----------
    rows : results, and the bodies of the messages that they came in.
    document : of another kind.
    at : when it was published, by the hub's clock.
    """

    def __init__(
        self,
        number: int,
        kind: Kind,
        at: float,
        *,
        rows: Sequence[BatchRow] = (),
        bodies: Sequence[bytes] = (),
        document: Any = None,
    ) -> None:
        self.number = number
        self.kind: Kind = kind
        self.at = at
        self.count = len(rows)
        """Of its results."""
        self.document = document
        self._rows: Sequence[BatchRow] | None = rows
        self._bodies = bodies
        self._data: dict[Any, bytes] = {}

    @property
    def decoded(self) -> bool:
        """Whether it holds rows and texts besides the messages."""
        return self._rows is not None

    def compress(self) -> None:
        """Keep nothing but the messages, and those small."""
        if self.kind == "results":
            encoder = zstandard.ZstdCompressor(level=1)
            self._bodies = [encoder.compress(body) for body in self._bodies]
            self._rows, self._data = None, {}

    def rows_for(self, wanted: Filter) -> list[list[Any]]:
        """Return the results that pass a filter, as arrays in the order of COLUMNS."""
        rows = self._rows
        if rows is None:
            decoder = zstandard.ZstdDecompressor()
            rows = [
                row for body in self._bodies for row in decode_results_batch(decoder.decompress(body)).rows
            ]
        return [shown(row) for row in rows if wanted.everything or wanted.passes(row)]

    def data_for(self, wanted: Filter) -> bytes:
        """Return the event's data as JSON; empty if the reader does not want it."""
        if self.kind not in wanted.kinds:
            return b""
        if self.kind != "results":
            return msgspec.json.encode(self.document)
        key = (wanted.match, max(wanted.min_score, 0.0), wanted.uid)
        data = self._data.get(key)
        if data is None:
            rows = self.rows_for(wanted)
            data = msgspec.json.encode(rows) if rows else b""
            if self.decoded:
                self._data[key] = data
        return data


def shown(row: BatchRow) -> list[Any]:
    """Return what readers see of a result, in the order of COLUMNS."""
    return [
        row.uid,
        row.rowid,
        float(row.ts),
        row.value,
        row.log_score,
        *cause_and_direction(row),
        row.one_in,
    ]


class Hub:
    """The ring. Published to from any thread, read in one event loop.

    Parameters
    ----------
    clock : seconds that only grow.
    """

    def __init__(
        self,
        *,
        kept_s: float = KEPT_S,
        kept_results: int = KEPT_RESULTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.epoch = secrets.token_hex(4)
        """Begins every cursor: cursors of another process are told apart by it."""
        self.closed = False
        self._kept_s = kept_s
        self._kept_results = kept_results
        self._clock = clock
        self._lock = threading.Lock()
        self._ring: deque[Event] = deque()
        self._results = 0
        self._decoded = 0
        """Events before this number are compressed."""
        self._last = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()

    @property
    def last(self) -> int:
        """Number of the newest event; 0 before the first."""
        return self._last

    def now(self) -> float:
        """Return the time by the hub's clock."""
        return self._clock()

    def cursor(self, number: int) -> str:
        """Return the place behind an event."""
        return f"{self.epoch}-{number}"

    def attach(self) -> None:
        """Wake readers of the running event loop from now on."""
        self._loop, self._news = asyncio.get_running_loop(), asyncio.Event()

    def publish(self, kind: Kind, document: Any) -> None:
        """Publish a document of any kind but results."""
        with self._lock:
            self._last += 1
            self._append(Event(self._last, kind, self._clock(), document=document))

    def publish_results(self, rows: Sequence[BatchRow], bodies: Sequence[bytes]) -> None:
        """Publish results, with the bodies of the messages that they came in."""
        with self._lock:
            self._last += 1
            self._append(Event(self._last, "results", self._clock(), rows=rows, bodies=bodies))

    def forget(self) -> None:
        """Results were missed: every reader has to begin anew."""
        with self._lock:
            self._ring.clear()
            self._results = 0
            self._last += 2  # so that no reader is at the place before the next event
        self._wake()

    def close(self) -> None:
        """End every reader."""
        self.closed = True
        self._wake()

    def position(self, cursor: str | None) -> int | None:
        """Return the place that a cursor tells, the newest without one; None if it is of another process or too old."""
        if not cursor:
            return self._last
        epoch, _, number = cursor.partition("-")
        if epoch != self.epoch or not (number.isascii() and number.isdigit()) or len(number) > 18:
            return None
        place = int(number)
        return place if self.after(place) is not None else None

    def after(self, place: int) -> list[Event] | None:
        """Return the events behind a place, oldest first; None if the first of them is gone."""
        with self._lock:
            self._trim()
            if place >= self._last:
                return [] if place == self._last else None
            if not self._ring or self._ring[0].number > place + 1:
                return None
            return list(islice(self._ring, place + 1 - self._ring[0].number, None))

    async def wait(self, place: int, timeout_s: float) -> None:
        """Wait until there is something behind a place, at most so long."""
        news = self._news
        if self._last > place or self.closed:
            return
        try:
            await asyncio.wait_for(news.wait(), timeout_s)
        except TimeoutError:
            return

    def _append(self, event: Event) -> None:
        self._ring.append(event)
        self._results += event.count
        self._trim()
        self._wake()

    def _trim(self) -> None:
        now = self._clock()
        oldest = now - self._kept_s
        while self._ring and (self._ring[0].at < oldest or self._results > self._kept_results):
            self._results -= self._ring.popleft().count
        if self._ring:
            first = self._ring[0].number
            for event in islice(self._ring, max(0, self._decoded - first), None):
                if event.at >= now - DECODED_S:
                    break
                event.compress()
                self._decoded = event.number + 1

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


async def events(
    hub: Hub, wanted: Filter, cursor: str | None, *, version: str, clock: Callable[[], float] = time.time
) -> AsyncIterator[bytes]:
    """Yield a stream of server-sent events until the hub is closed, from a cursor on where it is known."""
    place = hub.position(cursor)
    hello = {
        "cursor": hub.cursor(hub.last if place is None else place),
        "server_time": clock(),
        "version": version,
        "columns": COLUMNS,
    }
    # With the place, so that a reader that breaks off before the first result misses none; but a reset must not be lost.
    known = None if place is None else hub.cursor(place)
    yield f"retry: {RETRY_MS}\n".encode() + frame("hello", msgspec.json.encode(hello), known)
    while not hub.closed:
        found = None if place is None else hub.after(place)
        if found is None:
            place = hub.last
            reason = b'{"reason":"what came after your last event is not kept any more: read the list again"}'
            yield frame("reset", reason, hub.cursor(place))
            continue
        for event in found:
            place = event.number
            if data := event.data_for(wanted):
                yield frame(event.kind, data, hub.cursor(place))
        assert place is not None
        await hub.wait(place, PING_S)
        if hub.last == place and not hub.closed:
            # With the place: what was not for this reader need not be looked at again when it resumes.
            yield f"id: {hub.cursor(place)}\n: ping\n\n".encode()


def frame(event: str, data: bytes, cursor: str | None = None) -> bytes:
    """Return one event; its data must be a single line, as JSON is."""
    identity = f"id: {cursor}\n".encode() if cursor else b""
    return b"event: " + event.encode() + b"\n" + identity + b"data: " + data + b"\n\n"


def kinds_of(text: str) -> Collection[str]:
    """Return the kinds in a list such as `results,health`. Raises ValueError for one that does not exist."""
    kinds = [kind for kind in text.split(",") if kind]
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise ValueError(f"{unknown[0]} is none of {', '.join(KINDS)}")
    return frozenset(kinds or KINDS)
