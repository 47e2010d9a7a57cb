"""Blocks: many rows of a metric as one compressed value, bit for bit.

A column is reduced to numbers that say little: times to differences of differences, values to whole numbers of their last
decimal, a few different scores to places in a list; what follows from other columns is left out. Where numbers are not as
foreseen, a column becomes larger, never wrong: each says how it is read. Then the bytes of an array are put together by their
place in the number, and those with any order are deflated; noise, of which the lower bytes of scores consist, is not tried.
All but the deflation is a kernel (`kernels/rows/row_block.hpp`); its twin is `tests/reference/row_block.py`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from htmengine.htm import _kernels

FORMAT: Final = 1
"""The first byte of a block."""
NULL: Final = -1
"""In place of a digest that is NULL: digests are not negative."""

REALS: Final = (
    "value",
    "raw_anomaly_score",
    "sequence_score",
    "novelty_score",
    "log_score",
    "anomaly_score",
    "display_value",
    "forecast",
    "usual_low",
    "usual_high",
)
INTEGERS: Final = ("time", "digest")
"""Whole numbers of 64 bits."""
TEXTS: Final = ("multi_step_best_predictions",)
COLUMNS: Final = ("time", *REALS, "digest", *TEXTS)
"""Of a block, each behind those from which it follows."""

_HEAD: Final = struct.Struct("<BIH")
"""Format, size of what is deflated, and how much of that describes the columns."""
_LEVEL: Final = 6


class Rows(NamedTuple):
    """Rows in columns, at least one. NaN is NULL; in a digest `NULL` is."""

    integers: npt.NDArray[np.int64]
    """Shape (2, n): INTEGERS."""
    reals: npt.NDArray[np.float64]
    """Shape (10, n): REALS."""
    texts: Sequence[str | None]


def encode(rows: Rows) -> bytes:
    """Return rows as a block."""
    texts = list(rows.texts)
    if texts.count(texts[0]) == len(texts):
        how, packed = msgspec.msgpack.encode([len(texts), texts[0]]), b""
    else:
        how, packed = msgspec.msgpack.encode(None), msgspec.json.encode(texts)
    body, described, noise = _kernels.pack_rows(rows.integers, rows.reals, how, packed)
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = deflate.compress(body) + deflate.flush()
    return b"".join([_HEAD.pack(FORMAT, len(deflated), described), deflated, noise])


class Block:
    """Rows as `encode` has packed them; columns are unpacked as they are asked for. Threads may share it."""

    def __init__(self, block: bytes) -> None:
        """Take the bytes. Raises ValueError where they are of another format, or damaged, as all that reads them does."""
        version, size, described = _HEAD.unpack_from(block)
        if version != FORMAT:
            raise ValueError(f"a block of rows has the format {version}, which this version does not know")
        try:
            body = zlib.decompress(memoryview(block)[_HEAD.size : _HEAD.size + size], -zlib.MAX_WBITS)
        except zlib.error as error:
            raise ValueError(f"a block of rows is damaged: {error}") from error
        self._rows = _kernels.RowBlock(body, described, block[_HEAD.size + size :])

    def columns(self, names: Sequence[str]) -> list[Any]:
        """Return some of COLUMNS: arrays of shape (n,), int64 or float64, or a list of texts."""
        numbers = iter(self._rows.columns([_PLACES[name] for name in names if name not in TEXTS]))
        return [
            self._texts()
            if name in TEXTS
            else next(numbers).view(np.int64 if name in INTEGERS else np.float64)
            for name in names
        ]

    def column(self, name: str) -> Any:
        """Return one of COLUMNS."""
        return self.columns((name,))[0]

    def _texts(self) -> list[str | None]:
        try:
            how = msgspec.msgpack.decode(self._rows.texts_how(), type=tuple[int, str | None] | None)
            if how is not None and how[0] == self._rows.rows:
                return [how[1]] * how[0]
            texts = msgspec.json.decode(self._rows.texts(), type=list[str | None])
        except msgspec.DecodeError as error:
            raise ValueError(f"a block of rows is damaged: {error}") from error
        if len(texts) != self._rows.rows:
            raise ValueError("a block of rows is damaged: it has more or fewer texts than rows")
        return texts


_PLACES: Final = {name: place for place, name in enumerate(COLUMNS)}
