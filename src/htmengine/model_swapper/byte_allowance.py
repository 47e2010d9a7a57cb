"""How many bytes may be written now, so that no more than some a second are."""

from __future__ import annotations

from collections.abc import Callable


class ByteAllowance:
    """Grows with time, by no more than a second's worth; what is spent is taken from it, also beyond what there is."""

    def __init__(self, bytes_per_second: int, timer: Callable[[], float]) -> None:
        """`timer`: seconds that only grow."""
        self._rate = bytes_per_second
        self._timer = timer
        self._looked_at = timer()
        self._bytes = 0.0

    @property
    def bytes(self) -> float:
        """How many may be written now; not above 0 where none may."""
        now = self._timer()
        self._bytes = min(self._rate, self._bytes + (now - self._looked_at) * self._rate)
        self._looked_at = now
        return self._bytes

    def spend(self, count: int) -> None:
        """Note that so many are written."""
        self._bytes -= count
