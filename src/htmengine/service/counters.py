"""What a service counts, with a few examples of what it refused."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from htmengine.doors import door_names
from htmengine.doors.samples import Refusals, shortened

REJECTED: Final = "rejected"
"""In a snapshot, what was refused, by its reason."""
EXAMPLES: Final = 5
"""How many refused lines are kept for each reason; the newest stay."""
MAX_PEER: Final = 64
"""Characters of a sender's address that are kept."""


class _Rejected:
    """What was refused for one reason."""

    __slots__ = ("count", "examples", "last", "peer")

    def __init__(self) -> None:
        self.count = 0
        self.examples: deque[str] = deque(maxlen=EXAMPLES)
        self.peer: str | None = None
        self.last = 0.0

    def document(self) -> dict[str, Any]:
        return {"count": self.count, "examples": list(self.examples), "peer": self.peer, "last": self.last}


def together(snapshots: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what several processes of a service have counted, as `Counters.snapshot`; the newest comes last."""
    if len(snapshots) == 1:
        return dict(snapshots[0])
    counts: Counter[str] = Counter()
    rejected: dict[str, dict[str, Any]] = {}
    for snapshot in snapshots:
        counts.update({name: count for name, count in snapshot.items() if name != REJECTED})
        for reason, own in snapshot.get(REJECTED, {}).items():
            before = rejected.get(reason, {"count": 0, "examples": [], "last": 0.0})
            newer = own if own.get("last", 0.0) >= before["last"] else before
            rejected[reason] = newer | {
                "count": before["count"] + own["count"],
                "examples": [*before["examples"], *own["examples"]][-EXAMPLES:],
            }
    return {**counts, REJECTED: rejected}


class Counters:
    """Counts of a service since it started. Safe to use from several threads.

    `clock`: seconds since the epoch; refusals are dated by it.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._rejected: dict[str, _Rejected] = {}

    def add(self, name: str, count: int = 1) -> None:
        """Count something."""
        with self._lock:
            self._counts[name] += count

    def set(self, name: str, number: int) -> None:
        """Say how many there are of something now."""
        with self._lock:
            self._counts[name] = number

    def reject(
        self,
        reason: str,
        examples: Iterable[str] = (),
        count: int | None = None,
        *,
        door: str | None = None,
        peer: str | None = None,
        at: float | None = None,
    ) -> None:
        """Count lines that are not used.

        Parameters
        ----------
        count : that of the examples unless it is given.
        door : by which they came, where one service has several: `htmengine.doors.door_names`.
        peer : the address of whoever sent the newest of them; None where it is not known.
        at : when that one came in, in seconds since the epoch; now unless it is given.
        """
        cut = [shortened(example) for example in examples]
        at = self._clock() if at is None else at
        with self._lock:
            rejected = self._rejected.setdefault(door_names.reported(reason, door), _Rejected())
            rejected.count += len(cut) if count is None else count
            rejected.examples.extend(cut)
            rejected.peer = shortened(peer, MAX_PEER) if peer else None
            rejected.last = at

    def reject_all(self, refusals: Refusals, door: str | None = None, peer: str | None = None) -> None:
        """Count what a door refused of one sender."""
        for reason, count in refusals.counts.items():
            example = refusals.newest[reason].example
            self.reject(reason, [example] * bool(example), count, door=door, peer=peer)

    def __getitem__(self, name: str) -> int:
        """Return a count; 0 for what never happened."""
        with self._lock:
            return self._counts[name]

    @property
    def rejected(self) -> int:
        """The lines that were not used, for whatever reason."""
        with self._lock:
            return sum(one.count for one in self._rejected.values())

    def snapshot(self) -> dict[str, Any]:
        """Return everything in a form that JSON holds.

        Such as `{"lines": 7, "rejected": {reason: {"count": 3, "examples": [line], "peer": address, "last": seconds}}}`;
        a reason begins with the name of the door where it is known, and `peer` and `last` are of the newest.
        """
        with self._lock:
            rejected = {reason: one.document() for reason, one in self._rejected.items()}
            return {**self._counts, REJECTED: rejected}
