"""Files and folders for their owner alone, whatever the umask: others neither read what is in them nor hold their locks."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

MASK: Final = 0o077
"""The umask of our programs: all that libraries create is for the owner alone, too."""
_FILE: Final = 0o600
_FOLDER: Final = 0o700
_OTHERS: Final = 0o007


@contextmanager
def umask() -> Iterator[None]:
    """Create nothing that others may use, in the block; for programs, since it holds for the whole process."""
    before = os.umask(MASK)
    try:
        yield
    finally:
        os.umask(before)


def folder(path: Path) -> None:
    """Create a folder, and those above it that are missing. One that exists is left as it is. Raises OSError."""
    for missing in reversed([one for one in (path, *path.parents) if not one.exists()]):
        missing.mkdir(_FOLDER, exist_ok=True)
    path.mkdir(exist_ok=True)  # raises what is wrong with one that is no folder


def file(path: Path) -> None:
    """Create a file if it is missing; take one that exists from all who are neither its owner nor of its group.

    It is not opened: to close it would give back what this process has locked of it, as SQLite does. Raises OSError.
    """
    try:
        os.mknod(path, stat.S_IFREG | _FILE)
    except FileExistsError:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) and mode & _OTHERS:
            with suppress(PermissionError):  # it is somebody else's
                path.chmod(stat.S_IMODE(mode) & ~_OTHERS)


def database(path: Path) -> None:
    """As `file`, with the log and the index that SQLite keeps beside it; new ones get the mode of the file.

    What is wrong with the file SQLite tells better.
    """
    with suppress(OSError):
        file(path)
        for beside in ("-wal", "-shm"):
            if (log := path.with_name(path.name + beside)).exists():
                file(log)


def write_text(path: Path, text: str) -> None:
    """Write a file. Raises OSError."""
    file(path)
    path.write_text(text, encoding="utf-8")


def replace_text(path: Path, text: str) -> None:
    """Put a new text in the place of a file's at once: readers find the old one or the new one, whole, whenever a process dies.

    The file keeps its owner, group and mode; where it is a link, what it leads to is replaced. Raises OSError, also where the file
    may not be written or cannot keep its owner; then it is as it was.
    """
    path = path.resolve()
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        write_text(new, text)
        if path.exists():
            before, made = path.stat(), new.stat()
            if not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            if (before.st_uid, before.st_gid) != (made.st_uid, made.st_gid):
                os.chown(new, before.st_uid, before.st_gid)
            new.chmod(stat.S_IMODE(before.st_mode))
        _synced(new)
        new.replace(path)
        _synced(path.parent)
    finally:
        new.unlink(missing_ok=True)


def _synced(path: Path) -> None:
    """Have the disk keep a file, or what a folder lists."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def open_to_all(path: Path) -> bool:
    """Tell whether any user of this machine may read or change a file, or look into a folder or change it."""
    try:
        mode = path.stat().st_mode
        reached = all(one.stat().st_mode & stat.S_IXOTH for one in path.resolve().parents)
    except OSError:
        return False
    wanted = _OTHERS if stat.S_ISDIR(mode) else stat.S_IROTH | stat.S_IWOTH
    return bool(reached and mode & wanted)
