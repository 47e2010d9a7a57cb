"""A repository, a bus of lists and a scheduler that can be killed: what the scheduler's tests act on."""

import logging
import sqlite3
import uuid
from collections import deque
from contextlib import closing
from pathlib import Path
from shutil import copy
from typing import NamedTuple
from unittest.mock import patch

import msgspec
import numpy as np

from htmengine import config, messages
from htmengine.bus import Delivery
from htmengine.htm import params
from htmengine.htm.model import Model
from htmengine.messages import CommandResult, ModelFailure, Samples, Scores, shard_of
from htmengine.model_swapper import definition
from htmengine.model_swapper.checkpoint_store import CheckpointStore
from htmengine.model_swapper.scheduler import ModelScheduler
from htmengine.repository import identity, metrics, samples
from htmengine.repository.opening import open_database
from htmengine.repository.scores import advance_watermarks
from htmengine.repository.status import MetricStatus
from tests.support.repository import new_repository

SHARDS = 2
START = 1_700_000_000
PARAMETERS = params.parameter_set("default")


class Killed(BaseException):
    """The process is dead; nothing that it still tries takes place."""


class MortalStore(CheckpointStore):
    """A store whose process may be killed."""

    dead = False

    def write(self, *arguments, **options):
        if self.dead:
            raise Killed
        return super().write(*arguments, **options)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def template(folder: Path) -> Path:
    """Return a repository with its tables, to be copied: making one takes longer than a test."""
    path = folder / "template.sqlite"
    new_repository(path, SHARDS).close()
    return path


def value_of(metric: int, rowid: int, life: int = 0) -> float:
    """Return a sample that any run makes again: a wave, noise, and now and then a jump.

    A repository that was rolled back lives another life, with other samples.
    """
    noise = np.random.default_rng([metric, rowid, life]).normal()
    return float(np.round(10 * np.sin(rowid / (3 + metric)) + noise + 40 * (rowid % 37 == 0), 3))


class Copy(NamedTuple):
    """A repository as it was at some time."""

    path: Path
    final: dict
    lives: dict


class World:
    """Metrics are numbered; `uids` has their names."""

    def __init__(
        self, folder: Path, repository: Path, *, metrics_count: int = 3, parameters=PARAMETERS, **scheduler
    ):
        copy(repository, folder / "repository.sqlite")
        self.settings = config.embedded(folder)
        self.settings = msgspec.structs.replace(
            self.settings,
            scheduler=config.Scheduler(**({"chunk_size": 8, "requests_per_checkpoint": 5} | scheduler)),
        )
        self.database = open_database(self.settings.repository)
        self.checkpoint_database = open_database(config.Repository(path=folder / "checkpoints.sqlite"))
        CheckpointStore(self.checkpoint_database).create()
        self.clock = Clock()
        self.tag = 0
        self.life = 0
        self.lives: dict[int, list[int]] = {metric: [] for metric in range(metrics_count)}
        """In which life each row of a metric was stored."""
        self.epoch = 0
        self.unacked: list[Delivery] = []
        self.queue: deque[Delivery] = deque()
        self.results: deque[tuple[float, Scores]] = deque()
        self.emitted: dict[tuple[str, int, int, int], tuple] = {}
        self.emissions: list[tuple[str, int]] = []
        self.final: dict[tuple[str, int], list[tuple]] = {}
        self.commands: list[CommandResult] = []
        self.failures: list[ModelFailure] = []
        self.given_back: list[float] = []
        """When memory was given back."""
        with self.database.write() as conn:
            names = [f"metric.{number}" for number in range(metrics_count)]
            # The same in each run, so that the metrics are of the same shards.
            numbers = (uuid.UUID(int=3 * number) for number in range(1, metrics_count + 1))
            with patch.object(metrics.uuid, "uuid4", lambda: next(numbers)):
                uids = metrics.create_custom(conn, names)
            self.uids = [uids[name] for name in names]
            self.parameters: dict[str, params.Parameters] = {}
            for uid in self.uids:
                self.begin_model(conn, uid, parameters)
        self.start()

    def begin_model(self, conn, uid, parameters=PARAMETERS):
        self.parameters[uid] = parameters
        metrics.start_model(
            conn, uid, parameters="{}", model_params=definition.render(parameters), status=MetricStatus.ACTIVE
        )

    def dispose(self):
        if not self.store.dead:
            self.kill()
        self.database.close()
        self.checkpoint_database.close()

    # -- The scheduler's life.

    def start(self):
        self.epoch += 1
        self.store = MortalStore(self.checkpoint_database)
        self.scheduler = ModelScheduler(
            self.settings,
            self.database,
            self.store,
            shards=SHARDS,
            results_ages=lambda shards: dict.fromkeys(
                shards, self.clock.now - self.results[0][0] if self.results else None
            ),
            timer=self.clock,
            give_back=lambda: self.given_back.append(self.clock.now),
        )
        self.queue.extendleft(
            delivery._replace(deliveries=delivery.deliveries + 1) for delivery in reversed(self.unacked)
        )
        self.unacked = []
        self.queue = deque(delivery._replace(epoch=self.epoch) for delivery in self.queue)

    def kill(self):
        """Kill the scheduler's process: what its writer has not written is never written."""
        self.store.dead = True
        logging.disable(logging.CRITICAL)  # the writer tells of the error that stands for the kill
        try:
            self.scheduler._writer.put(lambda: self.store.write())
            self.scheduler._writer._thread.join()
        except RuntimeError:
            pass  # it was dead already
        finally:
            logging.disable(logging.NOTSET)

    def close(self):
        self.scheduler.close()
        self.store.dead = True

    # -- Samples.

    def append(self, metric: int, count: int) -> list[int]:
        """Store rows, as the storer does; return their rowids."""
        uid = self.uids[metric]
        with self.database.write() as conn:
            state = metrics.states(conn, [uid])[uid]
            last = state.last_rowid
            rowids = list(range(last + 1, last + count + 1))
            self.lives[metric] += [self.life] * count
            times = [START + 300 * rowid for rowid in rowids]
            values = [self.value(metric, rowid) for rowid in rowids]
            before = state.tail_digest or identity.start(last, state.tail_timestamp)
            digests = list(identity.extended(before, times, values))
            samples.append(conn, [uid] * count, rowids, times, values, digests)
            samples.advance_last(conn, [samples.Advance(uid, last, last + count, times[-1], digests[-1])])
        return rowids

    def value(self, metric: int, rowid: int) -> float:
        """Return the value of a row that is stored."""
        return value_of(metric, rowid, self.lives[metric][rowid - 1])

    def copied(self) -> Copy:
        """Copy the repository while it is in use."""
        self.tag += 1
        path = self.settings.repository.path.with_name(f"copy-{self.tag}.sqlite")
        _copy_database(self.settings.repository.path, path)
        return Copy(
            path,
            {key: list(rows) for key, rows in self.final.items()},
            {metric: list(lives) for metric, lives in self.lives.items()},
        )

    def goes_back(self, copy: Copy):
        """Put an older copy in the repository's place. Samples that come from now on are others."""
        _copy_database(copy.path, self.settings.repository.path)
        self.final = {key: list(rows) for key, rows in copy.final.items()}
        self.lives = {metric: list(lives) for metric, lives in copy.lives.items()}
        self.life += 1

    def publish(self, *rows: tuple[int, int], generation: int | None = None):
        """Put samples, (metric, rowid), into the shard queues."""
        states = self.states()
        with self.database.read() as conn:
            stored = {row: samples.read(conn, self.uids[row[0]], row[1], row[1], 1) for row in rows}
        for shard in range(SHARDS):
            some = [row for row in rows if shard_of(self.uids[row[0]], SHARDS) == shard]
            if some:
                uids = [self.uids[metric] for metric, _ in some]
                generations = [states[uid].generation if generation is None else generation for uid in uids]
                self.publish_message(
                    shard,
                    Samples(
                        uids=uids,
                        generations=generations,
                        rowids=[rowid for _, rowid in some],
                        timestamps=[stored[row].timestamps[0] for row in some],
                        values=[stored[row].values[0] for row in some],
                        digests=[stored[row].digests[0] for row in some],
                    ),
                )

    def publish_message(self, shard: int, message):
        body = message if isinstance(message, bytes) else messages.encode_model_input([message])
        self.tag += 1
        self.queue.append(Delivery(self.settings.model_input_queue(shard), body, {}, 1, self.epoch, self.tag))

    def states(self):
        with self.database.read() as conn:
            return metrics.states(conn, self.uids)

    # -- Rounds.

    def round(self, *, most: int = 100, published: bool = True):
        """Let the scheduler take messages; without `published`, it dies before it publishes."""
        self.clock.now += 10
        taken = [self.queue.popleft() for _ in range(min(most, len(self.queue)))]
        self.unacked += taken
        outcome = self.scheduler.process(taken)
        if not published:
            return outcome
        outputs = [(it.queue, one) for it in outcome.publish for one in messages.decode_model_output(it.body)]
        for queue, message in outputs:
            if isinstance(message, Scores):
                assert queue == self.settings.results_shard_queue(shard_of(message.uids[0], SHARDS))
                self.results.append((self.clock.now, message))
                self.saw(message)
            elif isinstance(message, CommandResult):
                self.commands.append(message)
            else:
                self.failures.append(message)
        self.unacked = []
        self.scheduler.settle()
        return outcome

    def saw(self, message: Scores):
        for row, digest in zip(rows_of(message), message.digests, strict=True):
            uid, generation, rowid, *scores = row
            self.emissions.append((uid, rowid))
            known = self.emitted.setdefault((uid, generation, rowid, digest), tuple(scores))
            assert known == tuple(scores), f"row {rowid} of {uid} got other scores the second time"

    def settle_all(self, *, most: int = 1000):
        """Let the scheduler work until it has nothing left to do."""
        for _ in range(most):
            self.round()
            if not self.queue and self.scheduler.poll_interval_s:
                return
        raise AssertionError("the scheduler finds no end")

    # -- Behind the scheduler.

    def store_next(self):
        """Make the oldest message of scores final, as the anomaly service does: in order, once."""
        _, message = self.results.popleft()
        with self.database.write() as conn:
            for (uid, generation, rowid, *scores), digest in zip(
                rows_of(message), message.digests, strict=True
            ):
                state = metrics.states(conn, [uid])[uid]
                rows = samples.read(conn, uid, rowid, rowid, 1)
                if (
                    state.generation == generation
                    and state.scored_rowid == rowid - 1
                    and rowid <= state.last_rowid
                    and digest in (0, identity.with_model(rows.digests[0], state.model_digest))
                ):
                    assert advance_watermarks(conn, [(uid, generation, rowid - 1, rowid)]) == 1
                    self.final.setdefault((uid, generation), []).append((rowid, *scores))

    def store_all(self):
        while self.results:
            self.store_next()

    def sweep(self):
        """Ask again for what has no score, as the sweep does when nothing is on its way."""
        with self.database.read() as conn:
            behind = metrics.lagging(conn, limit=100)
        for state in behind:
            self.publish((self.uids.index(state.uid), state.last_rowid))

    def heal(self):
        """Let everything come to rest: afterwards every row has its score, or never will."""
        for _ in range(10):
            self.settle_all()
            self.store_all()
            self.sweep()
            if not self.queue:
                return
            for _ in range(3):
                self.settle_all()
                self.store_all()
        raise AssertionError("rows stay without scores")

    def expected(self, metric: int, last: int, *, first: int = 1) -> list[tuple]:
        """Return what `Model.score_series` says of the same samples."""
        rowids = range(first, last + 1)
        series = Model(self.parameters[self.uids[metric]]).score_series(
            [START + 300 * rowid for rowid in rowids], [self.value(metric, rowid) for rowid in rowids]
        )
        columns = [column.tolist() for column in series.stored]
        return [(rowid, *scores) for rowid, *scores in zip(rowids, *columns, strict=True)]

    def finals(self, metric: int, generation: int = 0) -> list[tuple]:
        return self.final.get((self.uids[metric], generation), [])


def _copy_database(source: Path, target: Path):
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def rows_of(message: Scores):
    return zip(
        message.uids,
        message.generations,
        message.rowids,
        message.raw_anomaly_scores,
        message.anomaly_scores,
        message.log_scores,
        message.sequence_scores,
        message.novelty_scores,
        strict=True,
    )
