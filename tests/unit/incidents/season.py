"""A metric whose samples are scored and stored by the stages of the engine, while it is taught."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sqlalchemy import select

from htmengine import config
from htmengine.bus import Delivery
from htmengine.htm import params
from htmengine.incidents import teaching
from htmengine.incidents.teaching import Wanted
from htmengine.messages import Samples, encode_model_input, shard_of
from htmengine.model_swapper import definition
from htmengine.model_swapper.checkpoint_store import CheckpointStore
from htmengine.model_swapper.scheduler import ModelScheduler
from htmengine.repository import identity, metrics, samples, schema, teachings
from htmengine.repository.opening import open_database
from htmengine.repository.status import MetricStatus
from htmengine.runtime.anomaly_service.stage import AnomalyStage

START = 1_700_006_400
"""A Wednesday, 00:00 UTC."""
INTERVAL_S = 900
DAY = 86_400 // INTERVAL_S
"""Rows of a day."""
SHARDS = 2


def wave(days: int, **events: float) -> list[float]:
    """Return a daily wave with noise. `events`: `at_ROW=height` is added for three rows."""
    rows = np.arange(days * DAY)
    values = 50 + 10 * np.sin(2 * np.pi * rows / DAY) + np.random.default_rng(5).normal(size=len(rows))
    for name, height in events.items():
        row = int(name.removeprefix("at_"))
        values[row : row + 3] += height
    return np.round(values, 3).tolist()


class _Nobody:
    def has_subscribers(self, exchange: str) -> bool:
        return False


class Season:
    """The installation; `epoch` is that of the scheduler it had before."""

    def __init__(self, database, folder: Path, *, chunk_size: int = 2000, epoch: int = 0) -> None:
        settings = config.embedded(folder).with_scheduler(chunk_size=chunk_size, requests_per_checkpoint=500)
        self.settings, self.database = settings, database
        self.checkpoints = open_database(config.Repository(path=folder / "checkpoints.sqlite"))
        CheckpointStore(self.checkpoints).create()
        self.anomaly = AnomalyStage(database, _Nobody(), settings, shards=SHARDS)
        self.epoch = epoch
        self.now = 1_000_000_000
        self.start()

    def start(self) -> None:
        """Start a scheduler; one that was there before is as if it had been killed."""
        self.epoch += 1
        self.store = CheckpointStore(self.checkpoints)
        self.scheduler = ModelScheduler(
            self.settings,
            self.database,
            self.store,
            shards=SHARDS,
            results_ages=lambda shards: dict.fromkeys(shards),
        )

    def close(self) -> None:
        """End it in good order."""
        self.scheduler.close()
        self.checkpoints.close()

    def metric(self, name: str = "season") -> str:
        """Make a metric with a model, where there is none yet, and return its uid."""
        with self.database.write() as conn:
            uid = metrics.create_custom(conn, [name])[name]
            if metrics.state(conn, uid).status == MetricStatus.ACTIVE:
                return uid
            metrics.start_model(
                conn,
                uid,
                parameters="{}",
                model_params=definition.render(params.parameter_set("default")),
                status=MetricStatus.ACTIVE,
            )
        return uid

    def feed(self, uid: str, values: list[float], *, live: bool = False) -> None:
        """Store the next samples of a metric and let them be scored; `live`: they come as messages, else the last alone."""
        with self.database.write() as conn:
            state = metrics.state(conn, uid)
            first, count = state.last_rowid + 1, len(values)
            times = [START + (first - 1 + place) * INTERVAL_S for place in range(count)]
            digests = list(_digests(state, times, values))
            rowids = list(range(first, first + count))
            advance = samples.Advance(uid, first - 1, first + count - 1, times[-1], digests[-1])
            samples.advance_last(conn, [advance])
            samples.append(conn, [uid] * count, rowids, times, values, digests)
        rows = range(count) if live else range(count - 1, count)
        queue = self.settings.model_input_queue(shard_of(uid, SHARDS))
        message = Samples(
            uids=[uid] * len(rows),
            generations=[state.generation] * len(rows),
            rowids=[rowids[place] for place in rows],
            timestamps=[times[place] for place in rows],
            values=[values[place] for place in rows],
            digests=[digests[place] for place in rows],
        )
        self.work([Delivery(queue, encode_model_input([message]), {}, 1, self.epoch, 1)])

    def work(self, deliveries: list[Delivery]) -> None:
        """Let the stages work until nothing is left."""
        while True:
            outcome = self.scheduler.process(deliveries)
            results = [Delivery(one.queue, one.body, {}, 1, 1, 1) for one in outcome.publish]
            if results:
                self.anomaly.process(results)
            self.scheduler.settle()
            deliveries = []
            if not results and self.scheduler.poll_interval_s:
                return

    def teach(self, uid: str, first: int, last: int, how: str, **options):
        """Teach a metric that the rows between two, counted from 0, are normal; hours lie between two teachings."""
        self.now += 7200
        return teaching.teach(self.database, self.wanted(uid, first, last, how, **options)).label.number

    def wanted(self, uid: str, first: int, last: int, how: str, **options) -> Wanted:
        begins, ends = START + first * INTERVAL_S, START + last * INTERVAL_S
        return Wanted(
            uid, **{"kind": "normal"} | options, how=how, begins=begins, ends=ends, created=self.now
        )

    def undo(self, label: int) -> None:
        assert teaching.take_back(self.database, [label], by="me", now=self.now) == []

    def rows(self, uid: str) -> list[tuple]:
        """Return everything that is stored of a metric's rows."""
        data = schema.metric_data.c
        names = ("rowid", "metric_value", *schema.SCORES)
        query = select(*(data[name] for name in names)).where(data.uid == uid).order_by(data.rowid)
        with self.database.read() as conn:
            return [tuple(row) for row in conn.execute(query).all()]

    def alarms(self, uid: str) -> set[int]:
        """Return the rows that alarm."""
        alarm = schema.metric_alarm.c
        with self.database.read() as conn:
            return set(conn.scalars(select(alarm.rowid).where(alarm.uid == uid)))

    def silenced(self, uid: str) -> dict[int, int]:
        with self.database.read() as conn:
            return teachings.silenced_rows(conn, uid, 1, 1 << 40)


def _digests(state, times, values):
    before = state.tail_digest or identity.start(state.last_rowid, state.tail_timestamp)
    return identity.extended(before, times, values)
