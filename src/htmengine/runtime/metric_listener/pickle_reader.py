"""Bytes of a connection of Graphite's pickle protocol become lines."""

from __future__ import annotations

import time
from collections.abc import Callable

from htmengine.doors import queue_lines
from htmengine.doors.door_names import GRAPHITE_PICKLE
from htmengine.doors.graphite_pickle import Reader
from htmengine.doors.plaintext import PROTOCOL
from htmengine.service.counters import Counters


class PickleReader:
    """Turns what a connection sends into lines, as `LineReader` does; what is no sample is counted."""

    def __init__(self, counters: Counters, *, clock: Callable[[], float] = time.time, peer: str = "") -> None:
        """`clock`: seconds since the epoch, for points without a time; `peer`: the address that the bytes come from."""
        self._peer = peer
        self._counters = counters
        self._clock = clock
        self._reader = Reader()

    @property
    def foreign(self) -> bool:
        """Whether nothing that this connection sends can be used any more."""
        return self._reader.broken

    def feed(self, data: bytes) -> list[str]:
        """Return the samples that are complete now, as lines."""
        samples, refusals = self._reader.feed(data, self._clock())
        self._counters.reject_all(refusals, GRAPHITE_PICKLE, self._peer)
        lines = queue_lines.written(samples).get(PROTOCOL, [])
        self._counters.add(f"samples_{GRAPHITE_PICKLE}", len(lines))
        return lines

    def finish(self) -> None:
        """Count a frame that never ended."""
        self._counters.reject_all(self._reader.finish(), GRAPHITE_PICKLE, self._peer)
