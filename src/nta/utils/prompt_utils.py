"""Questions to a person who may not be there."""

from __future__ import annotations

import select
import sys


class PromptTimeout(Exception):
    """Nobody answered in time."""


def promptWithTimeout(promptText: str, timeout: float) -> str:
    """Show a text and return the line that is typed. Raises PromptTimeout after `timeout` seconds without one."""
    sys.stdout.write(promptText)
    sys.stdout.flush()
    ready, _, _ = select.select([sys.stdin], [], [], timeout)
    if not ready:
        raise PromptTimeout(f"no answer within {timeout:g} s")
    return sys.stdin.readline().rstrip("\n")
