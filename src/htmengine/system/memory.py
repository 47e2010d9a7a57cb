"""How much memory there is for this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

GROUPS: Final = Path("/sys/fs/cgroup")


def available_bytes(groups: Path = GROUPS) -> int:
    """Return the machine's memory, or less where a control group of this process may have less; 0 if it is not known."""
    return min([limit for limit in (_machine(), *_limits(groups)) if limit > 0], default=0)


def _machine() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 0


def _limits(groups: Path) -> Iterator[int]:
    """Return the limits of version 2 and version 1 of control groups, as a container sees its own."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            text = (groups / name).read_text().strip()
        except OSError:
            continue
        if text.isdecimal():
            yield int(text)
