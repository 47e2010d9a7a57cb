"""Functions of SQL that read blocks: the view `metric_data` needs them. Every connection of ours has them."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from htmengine.repository.embedded.items import Item, OpenBlock

OPEN_BLOCKS: Final = 32
"""So many blocks are kept open by each connection: those that it has used last."""


def register(connection: sqlite3.Connection) -> None:
    """Give a connection of Python's `sqlite3` the functions `htmengine_block_is_open` and `htmengine_block_item`."""
    blocks: OrderedDict[int, OpenBlock] = OrderedDict()

    def is_open(checksum: int) -> bool:
        return checksum in blocks

    def item(checksum: int, place: int, name: str, columns: bytes | None = None) -> Item:
        if columns is not None:
            from htmengine.repository.embedded.items import (
                OpenBlock,  # here: numpy takes long, and few need blocks
            )

            blocks[checksum] = OpenBlock(columns)
            if len(blocks) > OPEN_BLOCKS:
                blocks.popitem(last=False)
        return blocks[checksum].items(name)[place]

    connection.create_function("htmengine_block_is_open", 1, is_open)
    connection.create_function("htmengine_block_item", 3, item)
    connection.create_function("htmengine_block_item", 4, item)
