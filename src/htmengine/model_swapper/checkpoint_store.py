"""Where models wait when they are not in memory: blocks by metric, generation and last rowid.

The store also says who may write. Whoever begins to serve a shard claims it, which raises the shard's epoch; what an
earlier owner still writes under its own epoch is refused. The epochs stand beside the blocks, in one database, so
that the check and the write are one transaction.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple, Self

import zstandard
from sqlalchemy import Connection, and_, bindparam, delete, func, insert, inspect, or_, select, update

from htmengine import config
from htmengine.errors import ConfigError
from htmengine.repository import identity, schema
from htmengine.repository.database import Database
from htmengine.repository.locks import lock_tables
from htmengine.repository.lookup import IN_LIST
from htmengine.repository.opening import open_database

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
FILE: Final = "checkpoints.sqlite"

_model = schema.model_checkpoint.c
_owner = schema.shard_owner.c


class UnreadableCheckpoint(ValueError):
    """A stored block cannot be decompressed, or was compressed by a later version."""


ModelKey = tuple[str, int]
"""A metric's uid, and a generation of its model."""


class CheckpointKey(NamedTuple):
    """Which checkpoint, and when it was written, in seconds since the epoch."""

    uid: str
    generation: int
    last_rowid: int
    written_at: int


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


class CheckpointStore:
    """Keeps checkpoints in a database: a SQLite file of their own, or the repository's server.

    Safe to use from several threads and processes. All methods raise RepositoryUnavailable while the database is away.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def require_whole(self) -> None:
        """Check that a file of checkpoints is there and whole. Raises RepositoryError."""
        self._database.require_whole()

    def create(self) -> None:
        """Create the tables, where they are missing; those who do so at the same time wait for each other."""
        tables = schema.model_checkpoint, schema.shard_owner
        with self._database.write() as conn:
            if all(inspect(conn).has_table(table.name) for table in tables):
                return
            lock_tables(conn)
            for table in tables:
                table.create(conn, checkfirst=True)

    def claim(self, shard: int) -> int:
        """Become the owner of a shard and return the epoch under which to write."""
        with self._database.write() as conn:
            raised = update(schema.shard_owner).where(_owner.shard == shard).values(epoch=_owner.epoch + 1)
            if not conn.execute(raised).rowcount:
                conn.execute(insert(schema.shard_owner).values(shard=shard, epoch=1))
            return int(conn.execute(select(_owner.epoch).where(_owner.shard == shard)).scalar_one())

    def epoch(self, shard: int) -> int:
        """Return the epoch of a shard's owner; 0 before the first."""
        with self._database.read() as conn:
            return conn.scalar(select(_owner.epoch).where(_owner.shard == shard)) or 0

    def write(
        self,
        checkpoints: Sequence[Checkpoint],
        epochs: Mapping[int, int],
        *,
        scored: Mapping[str, int],
        now: int,
    ) -> frozenset[int]:
        """Compress and write checkpoints in one transaction, and drop those that they make needless.

        Parameters
        ----------
        epochs : under which the shards were claimed.
        scored : by uid, the rowid up to which scores are stored. Of each model two checkpoints stay: the newest, and
            the newest that does not lie beyond this rowid, from which lost scores can be made again. Of a model that
            is not in it, all stay.
        now : seconds since the epoch.

        Returns
        -------
        The shards that have another owner by now: nothing of these was written.
        """
        shards = {checkpoint.shard for checkpoint in checkpoints}
        checkpoints = [checkpoint.compressed() for checkpoint in checkpoints]
        with self._database.write() as conn:
            # Locked where a server has more than one writer: nobody claims a shard between this and the commit.
            query = select(_owner.shard, _owner.epoch).where(_owner.shard.in_(shards)).with_for_update()
            current = {row.shard: row.epoch for row in conn.execute(query)}
            stale = frozenset(shard for shard in shards if current.get(shard, 0) != epochs.get(shard))
            # Of one key the last counts; a key that is there already is the same block, written by an earlier life.
            unique = {item[:3]: item for item in checkpoints if item.shard not in stale}
            if unique:
                _delete(conn, unique)
                conn.execute(
                    insert(schema.model_checkpoint),
                    [
                        {
                            "uid": item.uid,
                            "generation": item.generation,
                            "last_rowid": item.last_rowid,
                            "shard": item.shard,
                            "written_at": now,
                            "codec": item.codec,
                            "block": item.data,
                        }
                        for item in unique.values()
                    ],
                )
                _prune(conn, {item[:2] for item in unique.values()}, scored)
        return stale

    def newest(self, uids: Sequence[str]) -> dict[ModelKey, Checkpoint]:
        """Return the newest checkpoint of every model of these metrics that has one."""
        other = schema.model_checkpoint.alias()
        last = (
            select(func.max(other.c.last_rowid))
            .where(other.c.uid == _model.uid, other.c.generation == _model.generation)
            .scalar_subquery()
        )
        query = select(
            _model.uid, _model.generation, _model.last_rowid, _model.shard, _model.codec, _model.block
        ).where(_model.uid.in_(bindparam("uids", expanding=True)), _model.last_rowid == last)
        found = {}
        with self._database.read() as conn:
            for start in range(0, len(uids), IN_LIST):
                for row in conn.execute(query, {"uids": uids[start : start + IN_LIST]}):
                    checkpoint = Checkpoint(*row)
                    found[checkpoint.uid, checkpoint.generation] = checkpoint
        return found

    def discard(self, uid: str, generation: int, *, above: int) -> None:
        """Delete a model's checkpoints that lie beyond a rowid."""
        same = _model.uid == uid, _model.generation == generation, _model.last_rowid > above
        with self._database.write() as conn:
            conn.execute(delete(schema.model_checkpoint).where(*same))

    def delete_models(self, models: Iterable[tuple[str, int]]) -> None:
        """Delete all checkpoints of these uids, of the given generation and of all before it."""
        with self._database.write() as conn:
            for uid, generation in models:
                ended = _model.uid == uid, _model.generation <= generation
                conn.execute(delete(schema.model_checkpoint).where(*ended))

    def models(self) -> list[tuple[str, int]]:
        """Return uid and generation of every model that has a checkpoint."""
        with self._database.read() as conn:
            query = select(_model.uid, _model.generation).distinct()
            return [(row.uid, row.generation) for row in conn.execute(query)]

    def oldest(self, uids: Sequence[str]) -> dict[tuple[str, int], int]:
        """Return, by uid and generation, the rowid of the oldest checkpoint: no row after it may be removed."""
        found = {}
        query = select(_model.uid, _model.generation, func.min(_model.last_rowid)).group_by(
            _model.uid, _model.generation
        )
        with self._database.read() as conn:
            for start in range(0, len(uids), IN_LIST):
                some = query.where(_model.uid.in_(uids[start : start + IN_LIST]))
                found.update({(uid, generation): rowid for uid, generation, rowid in conn.execute(some)})
        return found

    def listing(self, uid: str | None = None) -> list[CheckpointKey]:
        """Return the keys of all checkpoints, or of those of one metric, the oldest of a model first."""
        query = select(_model.uid, _model.generation, _model.last_rowid, _model.written_at).order_by(
            _model.uid, _model.generation, _model.last_rowid
        )
        if uid is not None:
            query = query.where(_model.uid == uid)
        with self._database.read() as conn:
            return [CheckpointKey(*row) for row in conn.execute(query)]

    def read(self, key: CheckpointKey) -> Checkpoint | None:
        """Return a checkpoint; None when it is gone."""
        query = select(_model.shard, _model.codec, _model.block).where(
            _model.uid == key.uid, _model.generation == key.generation, _model.last_rowid == key.last_rowid
        )
        with self._database.read() as conn:
            row = conn.execute(query).first()
        return None if row is None else Checkpoint(*key[:3], *row)


def open_checkpoint_store(settings: config.Settings, repository: Database) -> CheckpointStore:
    """Return the store that the settings name, its tables made.

    Raises
    ------
    ConfigError, RepositoryError, RepositoryUnavailable : as `open_database` does.
    """
    if settings.checkpoint_store == "repository":
        store = CheckpointStore(repository)
    else:
        store = CheckpointStore(open_database(config.Repository(path=_path(settings.checkpoint_root))))
    store.create()
    return store


def _path(root: Path | None) -> Path:
    if root is None:
        raise ConfigError(
            "Checkpoints are a SQLite file, but no folder is named for it.",
            hint="Set [storage] root in model-checkpoint.conf, or [engine] data_dir in application.conf.",
        )
    return root / FILE


def _prune(conn: Connection, models: set[tuple[str, int]], scored: Mapping[str, int]) -> None:
    """Of each model that is in `scored`, keep the newest checkpoint and the newest at or below the watermark."""
    wanted = sorted(model for model in models if model[0] in scored)
    keys = [
        tuple(row)
        for start in range(0, len(wanted), IN_LIST)
        for row in conn.execute(
            select(_model.uid, _model.generation, _model.last_rowid)
            .where(
                or_(
                    *(
                        and_(_model.uid == uid, _model.generation == generation)
                        for uid, generation in wanted[start : start + IN_LIST]
                    )
                )
            )
            .order_by(_model.uid, _model.generation, _model.last_rowid)
        )
    ]
    needless = []
    for (uid, _), group in groupby(keys, key=lambda key: key[:2]):
        *older, newest = group
        safe = [key for key in [*older, newest] if key[2] <= scored[uid]][-1:]
        needless += [key for key in older if key not in safe]
    if needless:
        _delete(conn, needless)


def _delete(conn: Connection, keys: Iterable[tuple[str, int, int]]) -> None:
    same = (
        _model.uid == bindparam("of_uid"),
        _model.generation == bindparam("of_generation"),
        _model.last_rowid == bindparam("of_rowid"),
    )
    conn.execute(
        delete(schema.model_checkpoint).where(*same),
        [{"of_uid": uid, "of_generation": generation, "of_rowid": rowid} for uid, generation, rowid in keys],
    )
