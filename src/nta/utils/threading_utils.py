"""A counter that several threads may change."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self


class ThreadsafeCounter:
    """A number; as a context manager it is one higher inside the block."""

    def __init__(self, initialValue: int = 0) -> None:
        self._value = initialValue
        self._lock = threading.Lock()

    @property
    def value(self) -> int:
        """The number now."""
        with self._lock:
            return self._value

    def adjust(self, n: int) -> int:
        """Add to the number and return what it became."""
        with self._lock:
            self._value += n
            return self._value

    def __enter__(self) -> Self:
        self.adjust(1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.adjust(-1)
