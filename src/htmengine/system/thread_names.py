"""Names of threads that the operating system shows."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

MAX_CHARACTERS: Final = 15
"""Bytes of a name that Linux keeps."""


def show_thread_name() -> None:
    """Tell the operating system this thread's name: `top -H` and the benchmarks tell services apart by it."""
    with suppress(OSError):
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(
            threading.current_thread().name[:MAX_CHARACTERS]
        )
