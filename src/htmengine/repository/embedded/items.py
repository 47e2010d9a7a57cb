"""Items of blocks as SQLite has them."""

from __future__ import annotations

import numpy as np

from htmengine.repository.embedded.blocks import NULL, Block

Item = float | int | str | None


class OpenBlock:
    """A block whose rows are read one by one."""

    def __init__(self, block: bytes) -> None:
        self._block = Block(block)
        self._columns: dict[str, list[Item]] = {}

    def items(self, name: str) -> list[Item]:
        """Return a column as SQLite has it, NULL as None."""
        if name not in self._columns:
            self._columns[name] = as_stored(self._block.column(name))
        return self._columns[name]


def as_stored(column: np.ndarray | list[str | None]) -> list[Item]:
    """Return a column of a block as SQLite has it."""
    if isinstance(column, list):
        return list(column)
    items: list[Item] = column.tolist()
    for place in np.flatnonzero(np.isnan(column) if column.dtype == np.float64 else column == NULL).tolist():
        items[place] = None
    return items
