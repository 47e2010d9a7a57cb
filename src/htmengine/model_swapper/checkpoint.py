"""A checkpoint: a model's block as it is stored, packed or compressed, with a digest of its samples and a checksum."""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Final, NamedTuple, Self

import numpy as np
import zstandard

from htmengine.htm import _kernels
from htmengine.htm.model import is_packed
from htmengine.repository import identity

CODEC_NONE: Final = 0
"""A block as the model gives it: in memory alone."""
CODEC_ZSTD: Final = 1
"""A block, compressed: as earlier versions wrote it."""
CODEC_CHECKED: Final = 2
"""The same behind a header: digest of the samples and the model, length of the block, checksum of all of it."""
CODEC_PACKED: Final = 3
"""A packed block behind a header: digest of the samples and the model, checksum of all of it."""
ROWS_WORTH_A_BLOCK: Final = 20
"""Scoring so many rows again costs as much as compressing and writing a block."""
LEVEL: Final = 1
MAX_BYTES: Final = 1 << 30
"""Of a block. A damaged length must not take more memory than there is."""
MAX_GROWTH: Final = 1 << 15
"""How much longer than its compressed form a block can be, by the format."""
_HEADER: Final = struct.Struct("<QQ16s")
_PACKED_HEADER: Final = struct.Struct("<QQ")


class UnreadableCheckpoint(ValueError):
    """A stored block cannot be decompressed, or was compressed by a later version."""


class Checkpoint(NamedTuple):
    """A model as it was after a row."""

    uid: str
    generation: int
    last_rowid: int
    shard: int
    codec: int
    data: bytes
    """The model's block, as the codec says."""
    block_digest: int = identity.UNKNOWN
    """Of CODEC_NONE, what `digest` is; others have it in their header."""

    @classmethod
    def of(
        cls,
        uid: str,
        generation: int,
        last_rowid: int,
        shard: int,
        block: bytes,
        digest: int = identity.UNKNOWN,
    ) -> Self:
        """Return a checkpoint with this block; the digest is that of the samples and of what the model began with."""
        return cls(uid, generation, last_rowid, shard, CODEC_NONE, block, digest)

    @property
    def digest(self) -> int:
        """Of the samples that the model has taken, and of what it began with; to be believed once `block` is read."""
        if self.codec == CODEC_NONE:
            return self.block_digest
        header = _HEADERS.get(self.codec)
        has_one = header is not None and len(self.data) >= header.size
        return int.from_bytes(self.data[:8], "little") if has_one else identity.UNKNOWN

    def block(self) -> bytes:
        """Return the model's block. Raises UnreadableCheckpoint."""
        if self.codec == CODEC_NONE:
            return self.data
        if self.codec == CODEC_ZSTD:
            return _decompressed(self.data)
        header = _HEADERS.get(self.codec)
        if header is None:
            raise UnreadableCheckpoint(f"codec {self.codec} is unknown to this version")
        if len(self.data) < header.size:
            raise UnreadableCheckpoint(f"{len(self.data)} bytes are less than a header")
        if self.codec == CODEC_PACKED:
            digest, packed_checksum = header.unpack_from(self.data)
            block = self.data[header.size :]
            if packed_checksum != _packed_checksum(self[:3], digest, block):
                raise UnreadableCheckpoint("damaged, its checksum does not match")
            return block
        digest, size, checksum = _HEADER.unpack_from(self.data)
        frame = self.data[_HEADER.size :]
        if checksum != _checksum(self[:3], digest, size, frame):
            raise UnreadableCheckpoint("damaged, its checksum does not match")
        block = _decompressed(frame)
        if len(block) != size:
            raise UnreadableCheckpoint(f"{len(block)} bytes where {size} belong")
        return block

    def compressed(self) -> Checkpoint:
        """Return the checkpoint as it is stored."""
        if self.codec != CODEC_NONE:
            return self
        if is_packed(self.data):
            packed_checksum = _packed_checksum(self[:3], self.block_digest, self.data)
            header = _PACKED_HEADER.pack(self.block_digest, packed_checksum)
            return self._replace(codec=CODEC_PACKED, data=header + self.data)
        frame = zstandard.ZstdCompressor(level=LEVEL).compress(self.data)
        checksum = _checksum(self[:3], self.block_digest, len(self.data), frame)
        data = _HEADER.pack(self.block_digest, len(self.data), checksum) + frame
        return self._replace(codec=CODEC_CHECKED, data=data)


_HEADERS: Final = {CODEC_CHECKED: _HEADER, CODEC_PACKED: _PACKED_HEADER}


def _packed_checksum(key: tuple[str, int, int], digest: int, block: bytes) -> int:
    return _kernels.checksum(np.frombuffer(block, dtype=np.uint8), identity.of(*key, digest))


def _checksum(key: tuple[str, int, int], digest: int, size: int, frame: bytes) -> bytes:
    return blake2b(repr((*key, digest, size)).encode() + frame, digest_size=16).digest()


def _decompressed(frame: bytes) -> bytes:
    """Return what a frame holds. Raises UnreadableCheckpoint, also where its length is damaged."""
    try:
        size = zstandard.get_frame_parameters(frame).content_size
        if size > min(MAX_BYTES, MAX_GROWTH * len(frame)):
            raise UnreadableCheckpoint(f"{size} bytes cannot come of {len(frame)}")
        return zstandard.ZstdDecompressor().decompress(frame)
    except (zstandard.ZstdError, MemoryError) as error:
        raise UnreadableCheckpoint(f"cannot be decompressed: {error}") from error
