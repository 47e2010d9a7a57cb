"""What was worked out of a text before: senders name the same series again and again."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, ParamSpec, TypeVar, cast

MAX_REMEMBERED: Final = 50_000
"""Results of a function that are kept, those that were used last."""
MAX_SIZE: Final = 512
"""Characters or bytes of what is remembered: what is longer is worked out each time, so that strangers cannot fill the memory."""

P = ParamSpec("P")
T = TypeVar("T")


def remembered(work: Callable[P, T]) -> Callable[P, T]:
    """Return a function of texts that keeps its results; whoever calls it gives nothing that is longer than `MAX_SIZE`.

    What it raises is not kept. It must depend on its arguments alone.
    """
    return cast("Callable[P, T]", lru_cache(MAX_REMEMBERED)(work))
