"""Parts of lists of keys or rows, each of which fits into one statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final, TypeVar

T = TypeVar("T")

KEYS_IN_STATEMENT: Final = 500
"""Databases limit the parameters of a statement; SQLite, before 3.32, to 999."""


def in_chunks(items: Sequence[T], size: int = KEYS_IN_STATEMENT) -> Iterator[Sequence[T]]:
    """Yield a sequence in parts of at most `size` items, in its order."""
    return (items[at : at + size] for at in range(0, len(items), size))


def in_statements(
    columns: Sequence[Sequence[Any]], size: int, *, again: bool = False
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Give the number of rows and the parameters of each statement, row by row.

    `again`: the numbers are powers of two, so that the same few statements come again and are compiled already.
    """
    rows = list(zip(*columns, strict=True))
    start = 0
    while start < len(rows):
        count = min(size, len(rows) - start)
        if again:
            count = 1 << (count.bit_length() - 1)
        yield count, tuple(chain.from_iterable(rows[start : start + count]))
        start += count
