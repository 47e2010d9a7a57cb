"""By which door a refused sample came, and who sent it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, repeat
from typing import NamedTuple

from typing_extensions import override

from htmengine.doors import names
from htmengine.doors.reasons import BadSample, Reason
from htmengine.doors.samples import Refusals
from htmengine.service.counters import EXAMPLES, Counters


class SentLines(NamedTuple):
    """Lines of a message."""

    lines: Sequence[str]
    door: str | None
    peers: Sequence[tuple[int, str]]
    """How many of the lines each peer sent, in their order."""
    accepted_at: float

    def by_peer(self) -> Iterator[tuple[str, str]]:
        """Return the lines in their order, each with its peer, "" where that is not known."""
        each = chain.from_iterable(repeat(peer, count) for count, peer in self.peers)
        return zip(self.lines, chain(each, repeat("")))  # noqa: B905 the second has no end


class _Counted:
    """Of one reason and door."""

    __slots__ = ("at", "count", "examples", "peer")

    def __init__(self) -> None:
        self.count = 0
        self.examples: deque[str] = deque(maxlen=EXAMPLES)
        self.peer, self.at = "", 0.0


class SentRefusals(Refusals):
    """What is refused of some messages, under the doors and peers that sent it.

    A sample that is refused behind its line is known by the name that its example begins with. Only then are all lines
    looked at: it is rare.
    """

    def __init__(self, sources: Callable[[str], Iterable[str]]) -> None:
        """`sources`: returns the names as sent of those that became a name by rules."""
        super().__init__()
        self._sources = sources
        self._messages: list[SentLines] = []
        self._senders: dict[str, tuple[SentLines, str]] | None = None
        """By name, as it stands in a line."""
        self._canonical = False
        """Whether they are there by their canonical names too: agents write them so, mostly."""
        self._counted: dict[tuple[Reason, str | None], _Counted] = {}

    def arrived(self, message: SentLines) -> None:
        """Note lines whose samples may be refused later."""
        self._messages.append(message)
        self._senders, self._canonical = None, False

    def unreadable(self, refusals: Refusals, message: SentLines) -> None:
        """Count lines of a message that are no samples."""
        for reason, count in refusals.counts.items():
            newest = refusals.newest[reason]
            peer = ""
            if newest.record:
                peers = [peer for _, peer in message.by_peer()]
                peer = peers[newest.record - 1]
            self._count(reason, message, peer, newest.example, count)

    @override
    def add(
        self, reason: Reason, example: str | bytes = "", record: int | None = None, count: int = 1
    ) -> None:
        text = example.decode(errors="backslashreplace") if isinstance(example, bytes) else example
        message, peer = self._sender(text.partition(" ")[0])
        self._count(reason, message, peer, text, count)

    def report(self, counters: Counters, shown: Callable[[str], str]) -> None:
        """Count all of it; `shown`: returns what is shown of a refused sample."""
        for (reason, door), found in self._counted.items():
            examples = map(shown, found.examples)
            counters.reject(reason, examples, found.count, door=door, peer=found.peer, at=found.at or None)

    def _count(self, reason: Reason, message: SentLines | None, peer: str, example: str, count: int) -> None:
        found = self._counted.setdefault((reason, message.door if message else None), _Counted())
        found.count += count
        if example:
            found.examples.append(example)
        found.peer, found.at = (peer, message.accepted_at) if message else ("", 0.0)

    def _sender(self, name: str) -> tuple[SentLines | None, str]:
        """Return the message that a name came in last, and its peer."""
        if self._senders is None:
            self._senders = {
                fields[0]: (message, peer)
                for message in self._messages
                for line, peer in message.by_peer()
                if (fields := line.split(maxsplit=1))
            }
        wanted = (name, *self._sources(name))
        for sent in wanted:
            if found := self._senders.get(sent):
                return found
        if not self._canonical:
            self._canonical = True
            self._senders |= {
                canonical: sender
                for sent, sender in self._senders.items()
                if (canonical := _canonical(sent)) not in self._senders
            }
            return self._sender(name)
        return None, ""


def _canonical(name: str) -> str:
    if ";" in name or name.endswith("}"):
        with suppress(BadSample):
            return names.read(name)
    return name
