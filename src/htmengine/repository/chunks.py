"""Parts of a list of keys, each of which fits into one statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

T = TypeVar("T")

KEYS_IN_STATEMENT: Final = 500
"""Databases limit the parameters of a statement; SQLite, before 3.32, to 999."""


def in_chunks(items: Sequence[T], size: int = KEYS_IN_STATEMENT) -> Iterator[Sequence[T]]:
    """Yield a sequence in parts of at most `size` items, in its order."""
    return (items[at : at + size] for at in range(0, len(items), size))
