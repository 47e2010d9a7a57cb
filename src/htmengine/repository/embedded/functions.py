"""Functions of SQL that read blocks: the view `metric_data` needs them. Every connection of ours has them."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from typing import Final

import numpy as np

from htmengine.repository.embedded.blocks import NULL, Block

OPEN_BLOCKS: Final = 32
"""So many blocks are kept open by each connection: those that it has used last."""

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


def register(connection: sqlite3.Connection) -> None:
    """Give a connection of Python's `sqlite3` the functions `htmengine_block_is_open` and `htmengine_block_item`."""
    blocks: OrderedDict[int, OpenBlock] = OrderedDict()

    def is_open(checksum: int) -> bool:
        return checksum in blocks

    def item(checksum: int, place: int, name: str, columns: bytes | None = None) -> Item:
        if columns is not None:
            blocks[checksum] = OpenBlock(columns)
            if len(blocks) > OPEN_BLOCKS:
                blocks.popitem(last=False)
        return blocks[checksum].items(name)[place]

    connection.create_function("htmengine_block_is_open", 1, is_open)
    connection.create_function("htmengine_block_item", 3, item)
    connection.create_function("htmengine_block_item", 4, item)
