"""An anomaly service's stage with its repository, what the models say to it, and what it publishes."""

import json
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import select, update

from htmengine import config, messages
from htmengine.bus import Delivery
from htmengine.messages import CommandResult, Scores, Why
from htmengine.repository import identity, metrics, samples, schema
from htmengine.repository import scores as repository_scores
from htmengine.repository.database import Database
from htmengine.repository.status import MetricStatus
from htmengine.runtime.anomaly_service import AnomalyService
from htmengine.runtime.anomaly_service.stage import AnomalyStage

START = 1_386_201_600

SPEC = {"datasource": "custom", "metricSpec": {"metric": "m", "userInfo": {"team": 7}}}


@dataclass
class Subscribers:
    """A bus as far as the stage knows it."""

    exchanges: set[str] = field(default_factory=set)

    def has_subscribers(self, exchange: str) -> bool:
        return exchange in self.exchanges


class Installation:
    """A repository, and what is published."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.settings = config.Settings()
        self.subscribers = Subscribers({self.settings.results_exchange, self.settings.batches_exchange})
        self.steps: list[str] = []
        self.stage = self.new_stage()
        self.tag = 0

    def new_stage(self) -> AnomalyStage:
        return AnomalyStage(self.database, self.subscribers, self.settings, shards=1, step=self.steps.append)

    def monitored(
        self, name: str, rows: int, *, status: int = MetricStatus.ACTIVE, first_value: float = 1.0
    ) -> str:
        with self.database.write() as conn:
            uid = metrics.create_custom(conn, [name])[name]
            metrics.start_model(
                conn, uid, parameters=json.dumps(SPEC), model_params="{}", status=status, server="web"
            )
            times = [START + 60 * row for row in range(1, rows + 1)]
            values = [first_value, *map(float, range(2, rows + 1))][:rows]
            digests = list(identity.extended(identity.start(0, None), times, values))
            samples.append(conn, [uid] * rows, range(1, rows + 1), times, values, digests)
            if rows:
                samples.advance_last(conn, [samples.Advance(uid, 0, rows, times[-1], digests[-1])])
        return uid

    def without_digests(self) -> None:
        """Let all that is stored be of a version before digests."""
        with self.database.write() as conn:
            conn.execute(update(schema.metric).values(tail_digest=None, model_digest=None))
            conn.execute(update(schema.metric_data).values(digest=None))

    def scores(self, uid: str, *rowids: int, **options: Any) -> Scores:
        """Return scores of the samples that are stored."""
        with self.database.read() as conn:
            rows = samples.read(conn, uid, min(rowids), max(rowids), max(rowids))
        digests = dict(zip(rows.rowids, rows.digests, strict=True))
        model = self.state(uid).model_digest
        found = scores(uid, *rowids, **options)
        return msgspec.structs.replace(
            found, digests=[identity.with_model(digests[rowid], model) for rowid in rowids]
        )

    def state(self, uid: str) -> metrics.MetricState:
        with self.database.read() as conn:
            return metrics.states(conn, [uid])[uid]

    def status(self, uid: str) -> tuple[int, str | None]:
        with self.database.read() as conn:
            row = conn.execute(
                select(schema.metric.c.status, schema.metric.c.message).where(schema.metric.c.uid == uid)
            ).one()
        return row.status, row.message

    def stored(self, uid: str) -> list[repository_scores.ScoredSample]:
        with self.database.read() as conn:
            return repository_scores.stored(conn, uid, 1, 10_000)

    def give(self, *received: messages.ModelOutput, deliveries: int = 1) -> "Published":
        bodies = [messages.encode_model_output([one]) for one in received]
        return self.give_bodies(*bodies, deliveries=deliveries)

    def give_bodies(self, *bodies: bytes, deliveries: int = 1) -> "Published":
        batch = []
        for body in bodies:
            self.tag += 1
            batch.append(Delivery(self.stage.queues[0], body, {}, deliveries, 1, self.tag))
        outcome = self.stage.process(batch)
        found = Published(dead=[reason for _, reason in outcome.dead_letters])
        for message in outcome.publish:
            if message.exchange == self.settings.batches_exchange:
                found.batches.append(messages.decode_results_batch(message.body))
            elif message.headers.get("dataType") == "model-cmd-result":
                found.commands.append(AnomalyService.deserializeModelResult(message.body))
            else:
                assert not message.headers
                found.results.append(AnomalyService.deserializeModelResult(message.body))
        return found


@dataclass
class Published:
    results: list[dict] = field(default_factory=list)
    commands: list[dict] = field(default_factory=list)
    batches: list[messages.ResultsBatch] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)

    def rowids(self) -> list[tuple[str, int]]:
        return [
            (result["metric"]["uid"], row["rowid"]) for result in self.results for row in result["results"]
        ]

    def batch_rowids(self) -> list[tuple[str, int]]:
        return [(row.uid, row.rowid) for batch in self.batches for row in batch.rows]


def scores(uid: str, *rowids: int, generation: int = 0, predictions: bool = False) -> Scores:
    """Scores that tell from which row they are."""

    def column(part: float) -> list[float]:
        return [part + rowid / 1024 for rowid in rowids]  # sums without rounding

    return Scores(
        uids=[uid] * len(rowids),
        generations=[generation] * len(rowids),
        rowids=list(rowids),
        timestamps=[START + 60 * rowid for rowid in rowids],
        values=[float(rowid) for rowid in rowids],
        raw_anomaly_scores=column(0.125),
        anomaly_scores=column(0.25),
        log_scores=column(0.375),
        sequence_scores=column(0.5),
        novelty_scores=column(0.625),
        predictions=[{"1": rowid + 0.5} for rowid in rowids] if predictions else None,
    )


def expecting(scored: Scores) -> Scores:
    """Return scores with what was expected of each row."""
    return msgspec.structs.replace(
        scored,
        forecasts=[rowid + 0.25 for rowid in scored.rowids],
        usual_lows=[rowid - 0.5 for rowid in scored.rowids],
        usual_highs=[rowid + 0.5 for rowid in scored.rowids],
        one_in=[1000.0 * rowid for rowid in scored.rowids],
    )


WHY = Why(
    cause="error",
    channel="deviation",
    forecast=1.5,
    usual=(1.0, 2.0),
    foreseen=[(0.5, 2.5)],
    alarms_before=3,
    last_alarm=None,
)


def alarming(scored: Scores, *rowids: int, why: Why | None = WHY) -> Scores:
    """Return scores of which those of these rows alarm."""
    return msgspec.structs.replace(
        scored,
        log_scores=[0.75 if rowid in rowids else 0.25 for rowid in scored.rowids],
        why=[why if rowid in rowids else None for rowid in scored.rowids],
    )


def defined(uid: str, *, status: int = 0, generation: int = 0, error: str | None = None) -> CommandResult:
    return CommandResult(
        command_id="c1",
        method="defineModel",
        uid=uid,
        generation=generation,
        status=status,
        error_message=error,
    )


def fields(scored: Scores) -> dict:
    return {name: getattr(scored, name) for name in scored.__struct_fields__}
