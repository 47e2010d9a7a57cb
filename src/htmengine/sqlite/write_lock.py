"""A lock for the writers of a SQLite file, who take turns."""

from __future__ import annotations

import threading
from collections import deque


class FairLock:
    """A lock that goes to whoever has waited longest; the standard one lets a busy thread take it again and again."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._taken = False
        self._turns: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        with self._mutex:
            if not self._taken:
                self._taken = True
                return
            turn = threading.Lock()
            turn.acquire()
            self._turns.append(turn)
        try:
            turn.acquire()
        except BaseException:  # interrupted: give up the place in the line, or pass on what came meanwhile
            with self._mutex:
                waiting = turn in self._turns
                if waiting:
                    self._turns.remove(turn)
            if not waiting:
                self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        with self._mutex:
            if self._turns:
                self._turns.popleft().release()
            else:
                self._taken = False
