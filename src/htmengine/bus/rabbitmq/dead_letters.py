"""Dead letters on RabbitMQ: messages of one queue, which keep where they came from and why they are there.

Most are put there by consumers of ours, with a number and a reason in their headers. Those that the broker puts there
itself, because a policy or the limit of deliveries says so, carry what the broker notes.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from htmengine.bus.api import DeadLetter
from htmengine.bus.rabbitmq.channel import Channel, Publication, persistent

PREFIX: Final = "x-htmengine-"
ID, QUEUE, REASON, DELIVERIES = (PREFIX + name for name in ("id", "queue", "reason", "deliveries"))
BROKERS_OWN: Final = ("x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count")
UNLIMITED_DELIVERIES: Final = 1_000_000_000
"""Times that a dead letter may be looked at."""
MICROSECONDS: Final = 1_000_000


class NewDeadLetter(NamedTuple):
    """A message that becomes a dead letter."""

    queue: str
    body: bytes
    headers: Mapping[str, str]
    reason: str
    deliveries: int


def exchange(application: str) -> str:
    """Return the exchange that dead letters go to."""
    return f"{application}.dead"


def queue(application: str) -> str:
    """Return the queue that keeps dead letters."""
    return f"{application}.dead.letters"


def declare(channel: Channel, application: str) -> None:
    """Make the exchange and the queue."""
    channel.ask(
        lambda raw, answer: raw.exchange_declare(
            exchange(application), "fanout", durable=True, callback=answer
        )
    )
    channel.declare_queue(
        queue(application), {"x-queue-type": "quorum", "x-delivery-limit": UNLIMITED_DELIVERIES}
    )
    channel.ask(
        lambda raw, answer: raw.queue_bind(queue(application), exchange(application), "", callback=answer)
    )


class _Numbers:
    """Numbers that only grow: microseconds since the epoch, each given once by a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        with self._lock:
            self._last = max(self._last + 1, time.time_ns() * MICROSECONDS // 10**9)
            return self._last


_numbers = _Numbers()


def publication(application: str, new: NewDeadLetter) -> Publication:
    """Return the message that keeps a dead letter."""
    headers = dict(new.headers) | {
        ID: _numbers.next(),
        QUEUE: new.queue,
        REASON: new.reason,
        DELIVERIES: new.deliveries,
    }
    return Publication(exchange(application), "", new.body, persistent(headers), mandatory=True)


def read(channel: Channel, name: str) -> dict[int, DeadLetter]:
    """Take all dead letters, and return them by their delivery tags, the oldest first."""
    found: dict[int, DeadLetter] = {}
    while (got := channel.get(name)) is not None:
        method, properties, body = got
        found[method.delivery_tag] = _letter(body, properties.headers or {})
    return dict(sorted(found.items(), key=lambda item: item[1].id))


def _letter(body: bytes, headers: Mapping[str, Any]) -> DeadLetter:
    death = (headers.get("x-death") or [{}])[0]
    if ID in headers:
        number = int(headers[ID])
    else:
        died = death.get("time", datetime.fromtimestamp(0, UTC)).replace(tzinfo=UTC)
        number = int(died.timestamp()) * MICROSECONDS + zlib.crc32(body) % MICROSECONDS
    return DeadLetter(
        id=number,
        queue=str(headers.get(QUEUE) or death.get("queue", "")),
        body=body,
        headers=own_headers(headers),
        reason=str(
            headers.get(REASON) or f"the broker put it aside: {death.get('reason', 'it does not say why')}"
        ),
        deliveries=int(headers.get(DELIVERIES) or headers.get("x-delivery-count") or 1),
        died_at=number / MICROSECONDS,
    )


def own_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    """Return a message's headers without those of the broker and of the dead letters."""
    return {
        str(name): str(value)
        for name, value in headers.items()
        if not str(name).startswith((PREFIX, *BROKERS_OWN))
    }
