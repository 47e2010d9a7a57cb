"""The two ends of the road, each a process of its own: a generator of lines, and one subscriber of the results."""

from __future__ import annotations

import socket
import time
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from htmengine.bus.opening import open_bus
from htmengine.config import Settings

SUBSCRIBER = "benchmark.subscriber"
HISTORY = 2000  # samples of a metric before its values repeat
MAX_UNDER_WAY = 50_000
"""At saturation the generator lets no more samples be under way: enough to keep every stage busy, and no backlog of
some seconds more, which the queue in front of the engine would take."""
MAX_CHUNK = 5000
"""Lines that are written at once."""


class Lines(Protocol):
    """Metrics, and the lines of their samples, which are numbered alike for all."""

    @property
    def names(self) -> list[str]:
        """Of the metrics."""
        ...

    def lines(self, sample: int, first: int = 0, last: int | None = None) -> bytes:
        """Return the lines of one sample of the metrics from `first` up to, not including, `last`."""
        ...

    def samples_at(self, timestamps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers of the samples that have these timestamps."""
        ...


def generate_load(
    port: int,
    fleet: Lines,
    first: int,
    rate: float | None,
    stop: Event,
    sent: Synchronized[int],
    seen: Synchronized[int],
    times: Path,
) -> None:
    """Send samples in turn over all metrics, beginning with the sample numbered `first`, until told to stop.

    Parameters
    ----------
    rate : samples per second; None for as many as the engine takes.
    sent : counts the samples sent.
    seen : counts the samples, of this phase and those before, whose results came out.
    times : where to write when each chunk was sent: rows of (number of its first sample, seconds of the monotonic clock).
    """
    metrics = len(fleet.names)
    chunk = min(metrics, MAX_CHUNK if rate is None else max(1, round(rate / 50)))
    chunks_per_round = -(-metrics // chunk)
    chunk = -(-metrics // chunks_per_round)
    sent_at = []
    with socket.create_connection(("127.0.0.1", port)) as peer:
        begin = time.monotonic()
        number = first
        while not stop.is_set():
            sample, start = divmod(number, metrics)
            end = min(start + chunk, metrics)
            if rate is None:
                while number - seen.value > MAX_UNDER_WAY and not stop.is_set():
                    time.sleep(0.005)
            else:
                time.sleep(max(0.0, begin + (number - first) / rate - time.monotonic()))
            sent_at.append((number, time.monotonic()))
            peer.sendall(fleet.lines(sample, start, end))
            number += end - start
            with sent.get_lock():
                sent.value = number - first
    np.save(times, np.array(sent_at))


class _Row(msgspec.Struct):
    name: str
    ts: int


class _Batch(msgspec.Struct):
    rows: list[_Row]


def subscribe(
    settings: Settings, fleet: Lines, ready: Event, stop: Event, seen: Synchronized[int], times: Path
) -> None:
    """Take results of a fleet from the exchange of batches until told to stop.

    times : where to write when each sample was seen: rows of (number of the sample, seconds of the monotonic clock).
    """
    decoder = msgspec.json.Decoder(_Batch)
    numbers: list[np.ndarray] = []
    seen_at: list[tuple[int, float]] = []
    index = {name: i for i, name in enumerate(fleet.names)}
    bus = open_bus(settings)
    with bus.consume([SUBSCRIBER]) as consumer:
        ready.set()
        while not stop.is_set():
            deliveries = consumer.receive(max_messages=100, timeout_s=0.2)
            now = time.monotonic()
            for delivery in deliveries:
                rows = [row for row in decoder.decode(delivery.body).rows if row.name in index]
                timestamps = np.array([row.ts for row in rows], dtype=np.int64)
                of = np.array([index[row.name] for row in rows], dtype=np.int64)
                numbers.append(fleet.samples_at(timestamps) * len(index) + of)
                seen_at.append((len(rows), now))
            if deliveries:
                consumer.ack(deliveries)
                with seen.get_lock():
                    seen.value += sum(count for count, _ in seen_at[-len(deliveries) :])
    bus.close()
    clock = np.concatenate([np.full(count, now) for count, now in seen_at]) if seen_at else np.empty(0)
    np.save(times, np.column_stack([np.concatenate(numbers) if numbers else np.empty(0), clock]))
