"""The stream of results: a ring of what was published last, from which every reader takes at its own pace.

What came within the last five minutes is there for those that resume. The frames that readers get are made on demand, once
for all readers that want the same, and kept for the last seconds, in which most of them ask.

Readers have no buffers of their own. Each knows its place in the ring; one that is so slow, or was away for so long,
that its place has left the ring is told so and begins anew. Whoever publishes never waits for a reader. What comes after
a pause reaches those that wait at once; what comes shortly after that is gathered, and written together.
"""

from __future__ import annotations

import asyncio
import math
import secrets
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final, Literal, NamedTuple

import msgspec

from htmengine.messages import BatchRow
from htmengine.web.results import COLUMNS, Metrics, Results, Wanted

KEPT_S: Final = 300.0
KEPT_RESULTS: Final = 500_000
FRAMES_KEPT_S: Final = 5.0
MAX_EVENTS: Final = 50
"""That are written together to a reader."""
GATHERED_S: Final = 0.1
"""Readers that wait are woken at most this often."""
GATHERED_READER_S: Final = 0.002
"""So much longer for each reader: to write to hundreds costs by the number of writes more than by what is written."""
MAX_GATHERED_S: Final = 1.0
PING_S: Final = 15.0
RETRY_MS: Final = 2000

Kind = Literal["results", "incidents", "health"]
KINDS: Final[tuple[Kind, ...]] = ("results", "incidents", "health")


class Filter(NamedTuple):
    """What a reader wants to see."""

    kinds: frozenset[str] = frozenset(KINDS)
    results: Wanted = Wanted()


class Event:
    """Something that was published.

    Parameters
    ----------
    results : what was published, if it is results.
    document : if it is of another kind.
    at : when it was published, by the hub's clock.
    """

    def __init__(
        self, number: int, kind: Kind, at: float, *, results: Results | None = None, document: Any = None
    ) -> None:
        self.number = number
        self.kind: Kind = kind
        self.at = at
        self.count = 0 if results is None else len(results)
        """Of its results."""
        self._results = results
        self._document = document
        self._frames: dict[Wanted, bytes] | None = {}

    def forget_frames(self) -> None:
        """Make frames anew for everybody who still asks."""
        self._frames = None

    def rows_for(self, wanted: Filter) -> list[list[Any]]:
        """Return the results that a reader wants, as arrays in the order of COLUMNS."""
        return [] if self._results is None else self._results.shown(wanted.results)

    def frame_for(self, wanted: Filter, cursor: str) -> bytes:
        """Return the event as a reader gets it; empty if the reader does not want it. `cursor`: the place behind it."""
        if self.kind not in wanted.kinds:
            return b""
        frames = self._frames
        made = None if frames is None else frames.get(wanted.results)
        if made is None:
            document = self._document if self._results is None else self.rows_for(wanted)
            is_wanted = self._results is None or document
            made = frame(self.kind, msgspec.json.encode(document), cursor) if is_wanted else b""
            if frames is not None:
                frames[wanted.results] = made
        return made


class Hub:
    """The ring. Published to from any thread, read in one event loop.

    Parameters
    ----------
    gathered_s : how often readers that wait are woken at most, while there are few.
    clock : seconds that only grow.
    """

    def __init__(
        self,
        *,
        kept_s: float = KEPT_S,
        kept_results: int = KEPT_RESULTS,
        gathered_s: float = GATHERED_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.epoch = secrets.token_hex(4)
        """Begins every cursor: cursors of another process are told apart by it."""
        self.closed = False
        self.readers = 0
        """How many there are."""
        self._kept_s = kept_s
        self._kept_results = kept_results
        self._gathered_s = gathered_s
        self._clock = clock
        self._lock = threading.Lock()
        self._ring: deque[Event] = deque()
        self._results = 0
        self._metrics = Metrics()
        self._without_frames = 0
        """Of events before this number no frames are kept."""
        self._last = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self._announced = 0
        """The newest event when those that wait were woken last."""
        self._announced_at = -math.inf
        """When those that wait were woken last, by the event loop's clock."""
        self._announcing: asyncio.TimerHandle | None = None
        """Wakes those that wait later."""

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

    def publish_results(self, rows: Sequence[BatchRow]) -> None:
        """Publish results."""
        with self._lock:
            self._last += 1
            results = Results(rows, self._metrics)
            self._append(Event(self._last, "results", self._clock(), results=results))

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
        if self._announced > place or self.closed:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await news.wait()

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
            for event in islice(self._ring, max(0, self._without_frames - first), None):
                if event.at >= now - FRAMES_KEPT_S:
                    break
                event.forget_frames()
                self._without_frames = event.number + 1

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._announce_soon, loop)

    def _announce_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        pause_s = min(MAX_GATHERED_S, self._gathered_s + GATHERED_READER_S * self.readers)
        wait_s = 0.0 if self.closed else self._announced_at + pause_s - loop.time()
        if wait_s <= 0:
            self._announce(loop)
        elif self._announcing is None:
            self._announcing = loop.call_later(wait_s, self._announce, loop)

    def _announce(self, loop: asyncio.AbstractEventLoop) -> None:
        self._announced, self._announced_at = self._last, loop.time()
        if self._announcing is not None:
            self._announcing.cancel()
            self._announcing = None
        news, self._news = self._news, asyncio.Event()
        news.set()


async def events(
    hub: Hub, wanted: Filter, cursor: str | None, *, version: str, clock: Callable[[], float] = time.time
) -> AsyncIterator[bytes]:
    """Yield server-sent events, one or several at a time, until the hub is closed, from a cursor on where it is known."""
    hub.readers += 1
    try:
        async for event in _events(hub, wanted, cursor, version=version, clock=clock):
            yield event
    finally:
        hub.readers -= 1


async def _events(
    hub: Hub, wanted: Filter, cursor: str | None, *, version: str, clock: Callable[[], float]
) -> AsyncIterator[bytes]:
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
        for first in range(0, len(found), MAX_EVENTS):
            some = found[first : first + MAX_EVENTS]
            place = some[-1].number
            if frames := b"".join(event.frame_for(wanted, hub.cursor(event.number)) for event in some):
                yield frames
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
