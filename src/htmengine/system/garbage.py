"""How often Python looks for cycles of garbage."""

import gc
from typing import Final

THRESHOLDS: Final = (50_000, 20, 50)


def collect_rarely() -> None:
    """Let Python look for cycles of garbage rarely: imports and batches make very many objects and hardly a cycle."""
    gc.set_threshold(*THRESHOLDS)


def collect_rarely_and_freeze() -> None:
    """The same, and not at all among the objects that exist now.

    A full search stops all threads of the process: for longer, the more models there are.
    """
    gc.collect()
    gc.freeze()
    collect_rarely()
