"""Bytes of a connection become lines."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from htmengine.doors import wrong_door
from htmengine.doors.reasons import Reason
from htmengine.doors.samples import shortened
from htmengine.service.counters import Counters

NOW: Final = "-1"
"""A timestamp that Graphite's senders leave to the receiver. It is dated here, where the line comes in: behind the queue a
second delivery would be another sample."""


class LineReader:
    """Cuts what a connection sends into lines; what is no line is counted, and costs no other line.

    Holds no more than the beginning of one line.
    """

    def __init__(
        self,
        longest: int,
        counters: Counters,
        *,
        clock: Callable[[], float] = time.time,
        door: str | None = None,
        peer: str = "",
    ) -> None:
        """`longest`: bytes of the longest line that is accepted, its end not counted; `clock`: seconds since the epoch.

        `door`, `peer`: by which the bytes come, and from which address; refusals are counted by them.
        """
        self._door = door
        self._peer = peer
        self._clock = clock
        self._longest = longest
        self._counters = counters
        self._rest = b""
        self._skipping = False
        """Within a line that is too long, up to its end."""
        self._begun = False
        """A whole line was seen, or enough for one that is too long: it is lines that this connection sends."""
        self.foreign = False
        """The connection speaks another protocol; what it sends is not used."""

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that are complete now; blank ones are left out."""
        if not self._begun and self._is_foreign(data):
            return []
        complete, newline, rest = data.rpartition(b"\n")
        if not newline:
            self._keep(rest)
            return []
        if self._skipping:
            _, newline, complete = complete.partition(b"\n")
            self._skipping = False
        else:
            complete = self._rest + complete
            newline = b"\n"
        self._rest = b""
        lines = self._lines(complete) if newline else []
        self._keep(rest)
        return lines

    def datagram(self, data: bytes, peer: str = "") -> list[str]:
        """Return the lines of a datagram of this peer, which is complete by itself: its last line needs no end."""
        self._peer = peer
        return self._lines(data)

    def finish(self) -> None:
        """Count a line that never ended: half a number may look like a whole one, so it is not used."""
        if self._rest.strip():
            self._reject(Reason.UNFINISHED, self._rest)
        self._rest, self._skipping = b"", False

    def _is_foreign(self, data: bytes) -> bool:
        """Look at the first bytes of a connection."""
        if not self.foreign:
            begin = self._rest + data
            reason = wrong_door.of_bytes(begin)
            if reason:
                self.foreign, self._rest = True, b""
                self._count(reason, begin)
            self._begun = not reason and (b"\n" in data or len(begin) > self._longest)
        return self.foreign

    def _keep(self, rest: bytes) -> None:
        """Keep the beginning of a line, or note that the line is too long."""
        if self._skipping:
            return
        self._rest += rest
        if len(self._rest) > self._longest + 1:  # one more: it may end in \r\n
            self._reject(Reason.LONG_LINE, self._rest)
            self._rest, self._skipping = b"", True

    def _lines(self, complete: bytes) -> list[str]:
        raw = complete.split(b"\n")
        if len(complete) > self._longest and len(max(raw, key=len)) > self._longest:
            raw = [line for line in raw if not self._too_long(line)]
            complete = b"\n".join(raw)
        try:
            text = complete.decode().split("\n")
        except UnicodeDecodeError:
            text = self._decoded(raw)
        lines = [line for whole in text if (line := whole.strip())]
        if b"-1" in complete:
            return [self._dated(line) if line.endswith(NOW) else line for line in lines]
        return lines

    def _dated(self, line: str) -> str:
        fields = line.split()
        if len(fields) != 3 or fields[2] != NOW:
            return line
        return f"{fields[0]} {fields[1]} {int(self._clock())}"

    def _too_long(self, line: bytes) -> bool:
        if len(line.removesuffix(b"\r")) <= self._longest:
            return False
        self._reject(Reason.LONG_LINE, line)
        return True

    def _decoded(self, raw: list[bytes]) -> list[str]:
        text = []
        for line in raw:
            try:
                text.append(line.decode())
            except UnicodeDecodeError:
                self._reject(Reason.NOT_UTF8, line)
        return text

    def _reject(self, reason: Reason, line: bytes) -> None:
        self._count(wrong_door.of_bytes(line) or reason, line)

    def _count(self, reason: Reason, example: bytes) -> None:
        self._counters.reject(reason, [shortened(example)], door=self._door, peer=self._peer)
