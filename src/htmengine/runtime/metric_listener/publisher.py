"""Lines of many connections on their way to the metric-data queue."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from htmengine.bus import Bus, Outgoing, QueueFull
from htmengine.errors import DependencyUnavailable
from htmengine.runtime.metric_storer.division import Division
from htmengine.service.counters import Counters
from htmengine.service.data_queues import DataQueues, KnownQueues
from htmengine.service.fault_injection import Step, no_step
from htmengine.service.lines import line_messages
from htmengine.service.loop import Stopwatch
from htmengine.service.retry import WaitingLog
from htmengine.system.backoff import Backoff

PUBLISH_INTERVAL_S: Final = 0.05
"""From one batch that is not full to the next, the first of them at once: each costs every stage behind some transactions."""
FULL_BATCHES: Final = 10
"""So many batches may wait before the connections are no longer read."""
FIRST_PAUSE_S: Final = 0.05
MAX_PAUSE_S: Final = 1.0
LAST_TRIES_S: Final = 5.0
"""How long an unavailable bus may delay the end."""

log = logging.getLogger(__name__)


@dataclass
class _Sender:
    """Who sent lines."""

    door: str
    peer: str
    lines: int


class _Taken(NamedTuple):
    """Lines of one door that are published together."""

    door: str
    lines: Sequence[str]
    peers: Sequence[tuple[int, str]]
    accepted_at: float


class LinePublisher:
    """Gathers lines and publishes them, many in one message; lives in an event loop, publishes in a thread.

    Parameters
    ----------
    queues : where lines go; they may be others at any time.
    division : knows the queue of each line.
    batch_lines : lines of a message at most.
    flush_interval_s : how long the first line of a batch waits for others at least.
    on_full, on_room : called when too much waits, and when there is room again.
    profiling : log how long each batch took.
    clock : seconds since the epoch; messages say by it when their lines were accepted.
    step : called when lines are on the queue.
    """

    def __init__(
        self,
        bus: Bus,
        queues: KnownQueues,
        division: Division,
        counters: Counters,
        *,
        batch_lines: int,
        flush_interval_s: float,
        on_full: Callable[[], None],
        on_room: Callable[[], None],
        profiling: bool = False,
        clock: Callable[[], float] = time.time,
        step: Step = no_step,
    ) -> None:
        self._profiling = profiling
        self._step = step
        self._clock = clock
        self._bus = bus
        self._queues = queues
        self._division = division
        self._counters = counters
        self._batch_lines = batch_lines
        self._most = FULL_BATCHES * batch_lines
        self._flush_interval_s = flush_interval_s
        self._on_full = on_full
        self._on_room = on_room
        self._lines: deque[str] = deque()
        self._senders: deque[_Sender] = deque()
        """Of the lines, in their order."""
        self._some = asyncio.Event()
        self._enough = asyncio.Event()
        self._closing = asyncio.Event()
        self._last_try_at = math.inf
        self._next_at = -math.inf
        """Before this time only a full batch is published."""
        self.full = False
        """Whether more should wait outside."""

    def put(self, lines: Sequence[str], door: str, peer: str = "") -> None:
        """Take lines, to be published in this order among those of the same door; `peer`: an address, where one sent them."""
        if not lines:
            return
        last = self._senders[-1] if self._senders else None
        if last and last.door == door and last.peer == peer:
            last.lines += len(lines)
        else:
            self._senders.append(_Sender(door, peer, len(lines)))
        self._counters.add("lines", len(lines))
        self._lines.extend(lines)
        self._some.set()
        if len(self._lines) >= self._batch_lines:
            self._enough.set()
            if not self.full and len(self._lines) >= self._most:
                self.full = True
                self._on_full()

    def close(self) -> None:
        """Let `run` publish what is here and return; it gives up after a while where the bus stays unavailable."""
        self._last_try_at = asyncio.get_running_loop().time() + LAST_TRIES_S
        self._closing.set()
        self._some.set()
        self._enough.set()

    async def run(self) -> None:
        """Publish until closed and empty."""
        with ThreadPoolExecutor(1, thread_name_prefix="listener-publish") as thread:
            while await self._batch_ready():
                self._next_at = asyncio.get_running_loop().time() + PUBLISH_INTERVAL_S
                await self._publish(self._taken(), thread)
                if self.full and len(self._lines) <= self._most // 2:
                    self.full = False
                    self._on_room()

    async def _batch_ready(self) -> bool:
        """Wait for lines, and a moment for more of them; return False when closed and empty."""
        if not self._lines:
            self._some.clear()
            self._enough.clear()
            if self._closing.is_set():
                return False
            await self._some.wait()
        if len(self._lines) < self._batch_lines and not self._closing.is_set():
            self._enough.clear()
            pause_s = max(self._flush_interval_s, self._next_at - asyncio.get_running_loop().time())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), pause_s)
        return bool(self._lines)

    async def _in_time(self, publishing: asyncio.Future[None]) -> None:
        """Wait until something is published. Raises DependencyUnavailable for a bus that does not even answer at the end."""
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            either: set[asyncio.Future[Any]] = {publishing, closing}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not publishing.done():
                left = self._last_try_at - asyncio.get_running_loop().time()
                await asyncio.wait({publishing}, timeout=max(0.0, left))
        finally:
            closing.cancel()
        if not publishing.done():
            publishing.add_done_callback(lambda late: late.exception())  # nobody waits for it any more
            raise DependencyUnavailable("the bus does not answer")
        publishing.result()

    def _taken(self) -> list[_Taken]:
        """Take lines from those that wait, of each door together."""
        left = min(len(self._lines), self._most)
        lines: dict[str, list[str]] = {}
        peers: dict[str, list[tuple[int, str]]] = {}
        while left:
            sender = self._senders[0]
            count = min(left, sender.lines)
            lines.setdefault(sender.door, []).extend(self._lines.popleft() for _ in range(count))
            peers.setdefault(sender.door, []).append((count, sender.peer))
            left -= count
            sender.lines -= count
            if not sender.lines:
                self._senders.popleft()
        now = self._clock()
        return [
            _Taken(door, some, peers[door] if any(peer for _, peer in peers[door]) else (), now)
            for door, some in lines.items()
        ]

    def _messages(self, taken: Sequence[_Taken], queues: DataQueues) -> list[Outgoing]:
        """Return lines as messages, each of one door, to these queues."""
        return [
            message
            for some in taken
            for queue, part in self._division.of(queues, some.lines, some.peers).items()
            for message in line_messages(
                queue,
                part.lines,
                accepted_at=some.accepted_at,
                lines_per_message=self._batch_lines,
                door=some.door,
                peers=part.peers,
            )
        ]

    async def _publish(self, taken: Sequence[_Taken], thread: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        lines = sum(len(some.lines) for some in taken)
        messages: list[Outgoing] = []
        made_for: DataQueues | None = None

        def made(queues: DataQueues) -> list[Outgoing]:
            nonlocal made_for
            if queues != made_for:
                messages[:] = self._messages(taken, queues)
                made_for = queues
            return messages

        backoff, began = Backoff(FIRST_PAUSE_S, MAX_PAUSE_S), loop.time()
        waiting = WaitingLog("metric_listener")
        while True:
            try:
                watch = Stopwatch()
                await self._in_time(loop.run_in_executor(thread, self._queues.publish, self._bus, made))
                self._step("metric_listener.published")
                watch.lap("publish")
                watch.log("metric_listener", self._profiling, lines=lines)
                self._counters.add("lines_published", lines)
                self._counters.add("messages_published", len(messages))
                waiting.ends(loop.time() - began)
                return
            except (DependencyUnavailable, QueueFull) as error:
                if loop.time() >= self._last_try_at:
                    log.error("metric_listener.lines_lost lines=%d reason=%s", lines, error)
                    self._counters.add("lines_lost", lines)
                    return
                waiting.waits(loop.time() - began, error)
            await asyncio.sleep(backoff.pause())
