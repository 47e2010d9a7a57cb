"""A checkpoint: a model's block as it is stored, compressed, with a digest of its samples and a checksum."""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Final, NamedTuple, Self

import zstandard

from htmengine.repository import identity

CODEC_NONE: Final = 0
"""A block as the model gives it: in memory alone."""
CODEC_ZSTD: Final = 1
"""A block, compressed: as earlier versions wrote it."""
CODEC_CHECKED: Final = 2
"""The same behind a header: digest of the samples and the model, length of the block, checksum of all of it."""
LEVEL: Final = 1
MAX_BYTES: Final = 1 << 30
"""Of a block. A damaged length must not take more memory than there is."""
MAX_GROWTH: Final = 1 << 15
"""How much longer than its compressed form a block can be, by the format."""
_HEADER: Final = struct.Struct("<QQ16s")


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
        has_one = self.codec == CODEC_CHECKED and len(self.data) >= _HEADER.size
        return int(_HEADER.unpack_from(self.data)[0]) if has_one else identity.UNKNOWN

    def block(self) -> bytes:
        """Return the model's block. Raises UnreadableCheckpoint."""
        if self.codec == CODEC_NONE:
            return self.data
        if self.codec == CODEC_ZSTD:
            return _decompressed(self.data)
        if self.codec != CODEC_CHECKED:
            raise UnreadableCheckpoint(f"codec {self.codec} is unknown to this version")
        if len(self.data) < _HEADER.size:
            raise UnreadableCheckpoint(f"{len(self.data)} bytes are less than a header")
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
        frame = zstandard.ZstdCompressor(level=LEVEL).compress(self.data)
        checksum = _checksum(self[:3], self.block_digest, len(self.data), frame)
        data = _HEADER.pack(self.block_digest, len(self.data), checksum) + frame
        return self._replace(codec=CODEC_CHECKED, data=data)


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
