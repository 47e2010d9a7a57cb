"""Folders of files with series."""

from __future__ import annotations

from pathlib import Path

from htmengine.errors import MisuseError


def files_in(folder: Path) -> list[Path]:
    """Return the files of a folder and of those in it, in the order of their names; hidden ones are left out.

    Raises MisuseError if there are none.
    """
    inside = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not inside:
        raise MisuseError(f"{folder}: the folder holds no files.", hint="Give a folder of files with series.")
    return inside
