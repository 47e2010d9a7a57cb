"""Compatibility package: the parts of `nta.utils` that applications of the original engine use, under their old names."""

from __future__ import annotations

from pathlib import Path
from typing import Final

CONF_DIR: Final = str(Path(__file__).parent / "conf")
"""Where `rabbitmq.conf` is looked for when the application's configuration directory has none."""


def makeDirectoryFromAbsolutePath(absDirPath: str) -> str:
    """Make a directory and those above it, and return its path; it may exist.

    Raises
    ------
    AssertionError : the path is not absolute.
    OSError : the directory cannot be made.
    """
    assert Path(absDirPath).is_absolute(), f"{absDirPath!r} is not an absolute path"
    Path(absDirPath).mkdir(parents=True, exist_ok=True)
    return absDirPath
