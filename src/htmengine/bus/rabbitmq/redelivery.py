"""How often a message that comes again was worked on, kept on the broker.

Neither kind of queue tells it: a queue without arguments says of a message only that it may have been delivered before,
and the count of a quorum queue includes every message that was on its way to a consumer when that died. But a message
that comes again is worked on alone. So before it is, its name is written down, in a queue beside its own that holds one
message, the newest; whoever takes over after a consumer died finds there what it was working on, and how often that was tried.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from htmengine.bus.api import QueueNotFound
from htmengine.bus.rabbitmq.channel import Channel, Publication, persistent

SUFFIX: Final = ".journal"
EXPIRES_S: Final = 86_400
"""A count that nobody has needed for so long is deleted."""


class Entry(NamedTuple):
    """A message by its digest, and how often it was worked on alone."""

    digest: str
    times: int


NO_ENTRY: Final = Entry("", 0)


class RedeliveryCounts:
    """The redelivery counts of some queues, each in a queue of its own, which is declared when a message first comes again."""

    def __init__(self, channel: Channel, publish: Callable[[Sequence[Publication]], None]) -> None:
        self._channel = channel
        self._publish = publish
        self._entries: dict[str, Entry] = {}
        self._read: dict[str, int] = {}
        """By queue: delivery tag of the entry that was read; it is acknowledged once there is a newer one."""

    def times(self, queue: str, body: bytes) -> int:
        """Return how often a message was worked on alone, as far as it was counted."""
        entry = self._entry(queue)
        return entry.times if entry.digest == _digest(body) else 0

    def begin(self, queue: str, body: bytes) -> None:
        """Count that a message is worked on. When it returns, the count survives the end of this process."""
        self._write(queue, Entry(_digest(body), self.times(queue, body) + 1))

    def end(self, queue: str) -> None:
        """Forget the message: it was processed."""
        self._write(queue, NO_ENTRY)

    def _entry(self, queue: str) -> Entry:
        if queue not in self._entries:
            self._declare(queue)
            got = self._channel.get(queue + SUFFIX)
            if got is not None:
                self._read[queue] = got[0].delivery_tag
            self._entries[queue] = NO_ENTRY if got is None else msgspec.json.decode(got[2], type=Entry)
        return self._entries[queue]

    def _declare(self, queue: str) -> None:
        self._channel.declare_queue(queue + SUFFIX, {"x-max-length": 1, "x-expires": EXPIRES_S * 1000})

    def _write(self, queue: str, entry: Entry) -> None:
        written = Publication("", queue + SUFFIX, msgspec.json.encode(entry), persistent())
        try:
            self._publish([written])
        except QueueNotFound:  # the broker deletes a count that nobody has read for long
            self._declare(queue)
            self._read.pop(queue, None)
            self._publish([written])
        self._entries[queue] = entry
        if queue in self._read:
            self._channel.ack([self._read.pop(queue)])


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
