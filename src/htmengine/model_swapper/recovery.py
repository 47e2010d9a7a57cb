"""How models come into memory: from their newest usable checkpoint, else new; and what to do when their rows are gone."""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from htmengine import config
from htmengine.htm.model import Block, Model, UnreadableModel
from htmengine.htm.params import Parameters
from htmengine.messages import shard_of
from htmengine.model_swapper import definition
from htmengine.model_swapper.checkpoint import CODEC_PACKED, Checkpoint, UnreadableCheckpoint
from htmengine.model_swapper.checkpoint_store import CheckpointStore
from htmengine.model_swapper.checkpoint_writer import CheckpointWriter
from htmengine.model_swapper.model_cache import CachedModel, Restored
from htmengine.model_swapper.teaching import NOTHING, Forgotten, digest_of
from htmengine.repository import identity, metrics, samples
from htmengine.repository.checkpoints import ModelKey
from htmengine.repository.database import Database
from htmengine.repository.metrics import Definition
from htmengine.repository.status import MetricStatus
from htmengine.system.interning import Interned

MODELS_BATCH_SIZE: Final = 500
ROWS_BATCH_SIZE: Final = 10_000
COMPARED_KEPT: Final = 1024

log = logging.getLogger(__name__)


def scored_rowids(database: Database, uids: Sequence[str]) -> dict[str, int]:
    """Return, by uid, the rowid up to which scores are stored. Raises DependencyUnavailable."""
    with database.read() as conn:
        return {uid: state.scored_rowid for uid, state in metrics.states(conn, uids).items()}


def _whole(rows: samples.Rows, first: int) -> samples.Rows:
    """Return rows up to the first one that is missing."""
    if not rows.rowids or rows.rowids[-1] == first + len(rows.rowids) - 1:
        return rows
    whole = 0
    while rows.rowids[whole] == first + whole:
        whole += 1
    return rows.part(0, whole)


class Recovery:
    """Loads models. Everything here reads or writes a database, and may raise DependencyUnavailable."""

    def __init__(
        self,
        database: Database,
        store: CheckpointStore,
        writer: CheckpointWriter,
        settings: config.Scheduler,
        *,
        shards: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock`: seconds since the epoch, by which checkpoints are dated."""
        self._database = database
        self._store = store
        self._writer = writer
        self._shards = shards
        self._clock = clock
        self._requests = settings.requests_per_checkpoint
        self._same: dict[tuple[int, int], tuple[Parameters, Parameters, bool]] = {}
        """Parameters that were compared, by their identities, which are theirs as long as they are kept here."""
        self._digests = Interned[int](COMPARED_KEPT)
        """Of what models began with: most began alike, and there are many."""

    def definitions(self, uids: Sequence[str]) -> dict[str, Definition]:
        """Return what the repository says of these metrics."""
        with self._database.read() as conn:
            return metrics.definitions(conn, uids)

    @staticmethod
    def check(parameters: Parameters) -> None:
        """Raise ValueError where no model can be made from parameters."""
        Model(parameters)

    def newest(self, models: Sequence[ModelKey]) -> dict[ModelKey, Checkpoint]:
        """Return the newest checkpoint, stored or still being written, of each of these models that has one."""
        waiting = self._writer.waiting(models)  # looked at first: what leaves the writer is in the store
        stored = self._store.newest([uid for uid, generation in models if (uid, generation) not in waiting])
        return {**stored, **waiting}

    def restore(
        self,
        uid: str,
        found: Definition,
        *,
        at_or_below: int,
        newest: Mapping[ModelKey, Checkpoint] | None = None,
        compare: bool = False,
        forgotten: Forgotten | None = None,
        unpack: bool = True,
    ) -> Restored:
        """Return a metric's model as it was at some row, as near below the given one as can be had.

        Checkpoints beyond that row are discarded: they were made from rows that the repository lost, or from rows
        whose scores must be made again. Raises ValueError where the definition makes no model.

        Parameters
        ----------
        newest : what `newest` has just said of this model and others; None to ask now.
        compare : read the row of each checkpoint, and discard those that have taken other samples. Without it a model
            of other samples is found out when it meets its next row.
        forgotten : what the model has not seen, where its metric was ever taught to forget: checkpoints of a model that
            has forgotten something else are discarded.
        unpack : find out whether a packed block is damaged in a way that its checksum does not tell. Without it, whoever
            unpacks it finds out.
        """
        parameters = definition.parse(found.model_params)
        checkpoints = self.newest([(uid, found.generation)]) if newest is None else newest
        checkpoint = checkpoints.get((uid, found.generation))
        state, digest = self._from_checkpoint(
            uid,
            found,
            parameters,
            at_or_below,
            checkpoint,
            compare=compare,
            forgotten=forgotten,
            unpack=unpack,
        )
        rows = 0 if state is None else state.rows
        if state is None:
            saved = found.base_rowid - zlib.crc32(uid.encode()) % self._requests
        else:
            saved = found.base_rowid + rows
        cached = CachedModel(
            uid=uid,
            generation=found.generation,
            shard=shard_of(uid, self._shards),
            base=found.base_rowid,
            next_rowid=found.base_rowid + rows + 1,
            stored_rowid=found.scored_rowid,
            checkpointed_rowid=saved,
            published_rowid=found.base_rowid + rows,
            digest=digest,
            model_digest=self._digests.one(found.model_digest),
            forgotten=forgotten or NOTHING,
        )
        return Restored(cached, parameters if state is None else state)

    def _from_checkpoint(
        self,
        uid: str,
        found: Definition,
        parameters: Parameters,
        limit: int,
        checkpoint: Checkpoint | None,
        *,
        compare: bool,
        forgotten: Forgotten | None,
        unpack: bool,
    ) -> tuple[Model | Block | None, int]:
        """Return a model or its block, and the digest of its samples, which may be unknown."""
        key = uid, found.generation
        while checkpoint is not None:
            rowid = checkpoint.last_rowid
            try:
                if rowid > limit:
                    raise UnreadableCheckpoint(f"it lies beyond row {limit}")
                # Its own checksum covers a packed block.
                block = Block.read(checkpoint.block(), check=checkpoint.codec != CODEC_PACKED)
                began_with = found.model_digest ^ digest_of(forgotten or NOTHING)
                digest = identity.with_model(checkpoint.digest, began_with)
                if forgotten is not None and digest == identity.UNKNOWN:
                    raise UnreadableCheckpoint("it does not tell what it has forgotten")
                self._check_samples(uid, found, rowid, digest, read=compare or forgotten is not None)
                if block.generation != found.generation or block.rows != rowid - found.base_rowid:
                    raise UnreadableCheckpoint(f"it holds {block.rows} rows of generation {block.generation}")
                if not self._are_same(block.parameters, parameters):
                    raise UnreadableCheckpoint("it has other parameters than the metric")
                state = block if block.packed and not unpack else Model.of(block)
            except (UnreadableCheckpoint, UnreadableModel) as error:
                log.warning("model_scheduler.discarded uid=%s rowid=%d reason=%s", uid, rowid, error)
                self._writer.flush()
                self._store.discard(uid, found.generation, above=min(rowid - 1, limit))
                checkpoint = self.newest([key]).get(key)
            else:
                return state, digest
        return None, identity.UNKNOWN

    def _are_same(self, some: Parameters, others: Parameters) -> bool:
        """Compare parameters: those of most blocks are the same objects, so that it is done once."""
        key = id(some), id(others)
        if key not in self._same:
            if len(self._same) >= COMPARED_KEPT:
                self._same.clear()
            self._same[key] = (some, others, some == others)
        return self._same[key][2]

    def _check_samples(self, uid: str, found: Definition, rowid: int, digest: int, *, read: bool) -> None:
        """Raise UnreadableCheckpoint where a checkpoint of a row has taken other samples than those of the repository."""
        stored = found.tail_digest if rowid == found.last_rowid else identity.UNKNOWN
        if read and digest and not stored:
            with self._database.read() as conn:
                stored = samples.digest_at(conn, uid, rowid)
        if digest and stored and digest != stored:
            raise UnreadableCheckpoint("it has taken other samples than those that are stored")

    def is_astray(self, cached: CachedModel) -> bool:
        """Whether a model has taken other samples than those of the repository."""
        with self._database.read() as conn:
            return not cached.may_follow(samples.digest_at(conn, cached.uid, cached.next_rowid - 1))

    def rows(self, wanted: Iterable[tuple[CachedModel, int]]) -> dict[str, samples.Rows]:
        """Return, by uid, the rows that come next for models, each up to a rowid.

        Empty where the repository does not have the next row. Never with a gap: what lies behind one is left out.
        """
        spans = {cached.uid: (cached.next_rowid, last) for cached, last in wanted}
        with self._database.read() as conn:
            found = samples.read_spans(conn, spans)
        return {uid: _whole(rows, spans[uid][0]) for uid, rows in found.items()}

    def catch_up(self, cached: CachedModel, model: Model, last: int) -> None:
        """Let a model that nobody else uses take its rows up to one. Raises ValueError where one is not stored."""
        while cached.next_rowid <= last:
            upto = min(last, cached.next_rowid + ROWS_BATCH_SIZE - 1)
            rows = self.rows([(cached, upto)])[cached.uid]
            if not rows.rowids:
                raise ValueError(f"row {cached.next_rowid} is not stored")
            cached.digest = rows.digests[-1]
            # As the scheduler does: a database may store -0.0 as 0.0.
            model.score_series(rows.timestamps, np.array(rows.values) + 0.0)
            cached.next_rowid += len(rows.rowids)

    def begin_again(self, cached: CachedModel) -> int | None:
        """Start a new generation for a model that needs rows which are not stored any more.

        Returns
        -------
        The last rowid, when a new generation has begun; None where nothing is amiss: the row was never stored, or
        somebody else has begun again.

        Raises
        ------
        ValueError : the row is missing between others; a new generation would meet the same gap.
        """
        uid, needed = cached.uid, cached.next_rowid
        with self._database.write() as conn:
            found = metrics.definitions(conn, [uid]).get(uid)
            if found is None or found.generation != cached.generation or needed > found.last_rowid:
                return None
            stored = samples.stored_range(conn, uid)
            if stored and stored.oldest == needed:
                return None
            if stored and stored.oldest < needed:
                raise ValueError(
                    f"row {needed} is missing between others, so that the model cannot go on; "
                    "monitor the metric again to start a new one"
                )
            description = metrics.descriptions(conn, [uid])[uid]
            generation = metrics.end_model(conn, uid)
            metrics.start_model(
                conn,
                uid,
                parameters=description.parameters,
                model_params=found.model_params,
                status=found.status,
            )
            oldest = stored.oldest if stored else found.last_rowid + 1
            message = (
                f"The model began again at row {oldest}: its checkpoint was lost, "
                f"and row {needed} was removed by retention."
            )
            metrics.set_status(conn, uid, MetricStatus(found.status), message=message)
        log.warning(
            "model_scheduler.new_generation uid=%s generation=%d needed=%d oldest=%d",
            uid,
            generation,
            needed,
            oldest,
        )
        return found.last_rowid

    def clone(self, source: Model, uid: str, generation: int) -> bool:
        """Let another metric's model begin as a copy of a model; it goes on at that metric's first row without score.

        What was done already is left as it is. The copy's first rows are not in its own metric: if its checkpoint is
        lost, the metric begins again.

        Returns
        -------
        Whether there is such a metric and generation.
        """
        with self._database.read() as conn:
            found = metrics.definitions(conn, [uid]).get(uid)
        if found is None or found.generation != generation:
            return False
        begin = found.scored_rowid
        if found.base_rowid != begin or not source.rows:
            return True  # it has a past of its own, or there is none to be copied
        copy = Model.load(source.save())
        copy.generation = generation
        shard = shard_of(uid, self._shards)
        model_digest = identity.of(copy.save())
        with self._database.read() as conn:
            digest = identity.with_model(samples.digest_at(conn, uid, begin), model_digest)
        checkpoint = Checkpoint.of(uid, generation, begin, shard, copy.pack(), digest)
        self._store.write([checkpoint], {shard: self._store.epoch(shard)}, scored={}, now=int(self._clock()))
        with self._database.write() as conn:
            metrics.begin_as_copy(
                conn,
                uid,
                generation,
                at_rowid=begin,
                rows=copy.rows,
                model_params=definition.render(copy.parameters),
                model_digest=model_digest,
            )
        return True

    def remove_orphans(self) -> None:
        """Delete the checkpoints of models that do not exist any more."""
        removed = 0
        stored = self._store.models()
        for start in range(0, len(stored), MODELS_BATCH_SIZE):
            some = stored[start : start + MODELS_BATCH_SIZE]
            with self._database.read() as conn:
                states = metrics.states(conn, [uid for uid, _ in some])
            orphans = [
                (uid, generation)
                for uid, generation in some
                if uid not in states or generation < states[uid].generation
            ]
            if orphans:
                self._store.delete_models(orphans)
                removed += len(orphans)
        if removed:
            log.info("model_scheduler.orphans_removed models=%d", removed)
