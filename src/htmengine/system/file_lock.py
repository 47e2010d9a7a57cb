"""Advisory locks on open files, as context managers."""

from __future__ import annotations

import fcntl
from types import TracebackType
from typing import IO, Any, ClassVar, Self


class FileLockAcquireException(Exception):
    """The lock was not given."""


class FileLockReleaseException(Exception):
    """The lock could not be given back."""


class _FileLock:
    """Waits for a lock on a file object, holds it in the block, and gives it back."""

    _operation: ClassVar[int]

    def __init__(self, file: IO[Any]) -> None:
        self._file = file

    def __enter__(self) -> Self:
        try:
            fcntl.flock(self._file, self._operation)
        except OSError as error:
            raise FileLockAcquireException(f"{self._file.name}: no lock: {error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        except OSError as failure:
            raise FileLockReleaseException(f"{self._file.name}: still locked: {failure}") from failure


class SharedFileLock(_FileLock):
    """Many may hold it at a time, as long as nobody holds the exclusive one."""

    _operation = fcntl.LOCK_SH


class ExclusiveFileLock(_FileLock):
    """One holds it at a time."""

    _operation = fcntl.LOCK_EX
