"""A fleet that has run for long: models that have learned, copied from some that were trained, and rows of history."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Column, Connection, String, Table, func, insert, literal, select, update

from htmengine import config
from htmengine.htm import params
from htmengine.htm.arrays import FloatArray
from htmengine.htm.explanation import ALARM, SeriesScores
from htmengine.htm.model import Model
from htmengine.messages import shard_of
from htmengine.model_swapper import definition
from htmengine.model_swapper.checkpoint import Checkpoint
from htmengine.model_swapper.checkpoint_store import CheckpointStore, open_checkpoint_store
from htmengine.repository import hours, identity, metrics, migrations, samples, schema, scores, watermarks
from htmengine.repository.database import Database
from htmengine.repository.embedded.tables import SCORES, STATISTICS
from htmengine.repository.opening import open_database
from htmengine.repository.status import MetricStatus

DIFFERENT: Final = 64
"""Models that are trained; the others are copies of them."""
TRAINED: Final = 2000
"""Rows at least that each has scored."""
SEASON: Final = 288
"""Samples: a day of one in five minutes."""
METRICS_OF_A_HOST: Final = 10
BATCH: Final = 1000
"""Metrics of one transaction."""


class GrownFleet:
    """Metrics with the seasons of DIFFERENT ones, and noise of their own.

    Parameters
    ----------
    count : of metrics.
    step_s : seconds from a sample of a metric to its next one.
    begins : timestamp of the first live sample, that with the number 0; history has negative numbers.
    """

    def __init__(self, count: int, step_s: int, begins: int) -> None:
        self.count = count
        self.step_s = step_s
        self.begins = begins

    @cached_property
    def names(self) -> list[str]:
        """Of the metrics."""
        return [
            f"fleet.host{i // METRICS_OF_A_HOST:06d}.m{i % METRICS_OF_A_HOST}.load" for i in range(self.count)
        ]

    def values(self, numbers: NDArray[np.int64], like: NDArray[np.int64], seed: int) -> FloatArray:
        """Return values of three decimals: of the samples with these numbers, with the seasons of these of DIFFERENT.

        `numbers` and `like` are brought to one shape. `seed` : of the noise.
        """
        random = np.random.default_rng(1)
        level, season, noise, phase = (
            random.uniform(low, high, DIFFERENT)[like]
            for low, high in ((20, 100), (1, 15), (0.1, 3), (0, 2 * np.pi))
        )
        ideal = level + season * np.sin(2 * np.pi * numbers / SEASON + phase)
        return np.round(ideal + noise * np.random.default_rng(seed).standard_normal(ideal.shape), 3)

    def history(self, like: int, rows: int) -> tuple[NDArray[np.int64], FloatArray]:
        """Return timestamps and values of the rows before the first live sample, of one of DIFFERENT."""
        numbers = np.arange(-rows, 0)
        return self.begins + numbers * self.step_s, self.values(numbers, np.array(like), 1000 + like)

    def lines(self, sample: int, first: int = 0, last: int | None = None) -> bytes:
        """Return the lines of one sample of the metrics from `first` up to, not including, `last`; timestamps spread."""
        places = np.arange(first, self.count if last is None else min(last, self.count))
        values = self.values(np.array(sample), places % DIFFERENT, (sample << 32) + first)
        times = self.begins + sample * self.step_s + places * self.step_s // self.count
        rows = zip(self.names[first:last], values.tolist(), times.tolist(), strict=True)
        return "".join(f"{name} {value!r} {timestamp}\n" for name, value, timestamp in rows).encode()

    def samples_at(self, timestamps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers of the samples that have these timestamps."""
        return (timestamps - self.begins) // self.step_s


class Trained(NamedTuple):
    """One of DIFFERENT: its model after its history, and its rows, of which the last are kept."""

    block: bytes
    rows: int
    """That the model has scored."""
    digests: list[int]
    """Of the rows that are kept; so are all others."""
    timestamps: list[int]
    values: list[float]
    scores: SeriesScores


def build(settings: config.Settings, fleet: GrownFleet, kept: int) -> None:
    """Make an installation of this fleet, all of it scored, with so many rows of each metric; its files are new."""
    trained = [_train(fleet, like, kept) for like in range(min(DIFFERENT, fleet.count))]
    database = open_database(settings.repository)
    try:
        migrations.upgrade(database, settings.shards)
        store = open_checkpoint_store(settings, database)
        uids = _metrics(settings, database, store, fleet, trained)
        if kept:
            _rows(database, uids, trained)
    finally:
        database.close()


def _train(fleet: GrownFleet, like: int, kept: int) -> Trained:
    """Return one of DIFFERENT, whose kept rows do not alarm: a thousand copies of it would make one incident."""
    rows = max(TRAINED, kept)
    times, values = fleet.history(like, rows)
    digests = list(identity.extended(identity.start(0, None), times.tolist(), values.tolist()))
    model = Model(params.parameter_set("default"))
    found = model.score_series(times.astype(np.float64), values)
    calm = SeriesScores(*(column[rows - kept :] for column in found))
    quiet = np.where(calm.log_score < ALARM, calm.log_score, 0.0)
    return Trained(
        model.pack(),
        rows,
        digests[rows - kept - 1 :] if kept < rows else [identity.start(0, None), *digests],
        times[rows - kept :].tolist(),
        values[rows - kept :].tolist(),
        calm._replace(log_score=quiet),
    )


def _metrics(
    settings: config.Settings,
    database: Database,
    store: CheckpointStore,
    fleet: GrownFleet,
    trained: list[Trained],
) -> list[str]:
    """Make the metrics and their checkpoints; return their uids."""
    model_params = definition.render(params.parameter_set("default"))
    model_digest = identity.of(model_params, 0)
    epochs = {shard: store.epoch(shard) for shard in range(settings.shards)}
    uids: list[str] = []
    for start in range(0, fleet.count, BATCH):
        names = fleet.names[start : start + BATCH]
        with database.write() as conn:
            made = metrics.create_custom(conn, names)
            some = [made[name] for name in names]
            models = [metrics.NewModel(uid, "{}", model_params, MetricStatus.ACTIVE, None) for uid in some]
            metrics.start_models(conn, models)
            of = [trained[i % DIFFERENT] for i in range(start, start + len(some))]
            last = [
                samples.Advance(uid, 0, one.rows, fleet.begins - fleet.step_s, one.digests[-1])
                for uid, one in zip(some, of, strict=True)
            ]
            samples.advance_last(conn, last)
            scores.advance_watermarks(conn, [(it.uid, 0, 0, it.to_rowid) for it in last])
        written = [
            Checkpoint.of(
                uid,
                0,
                one.rows,
                shard_of(uid, settings.shards),
                one.block,
                identity.with_model(one.digests[-1], model_digest),
            )
            for uid, one in zip(some, of, strict=True)
        ]
        store.write(written, epochs, scored={}, now=0)
        uids += some
    watermark = schema.metric_watermark
    with database.write() as conn:
        conn.execute(update(watermark).values(hourly_rowid=watermark.c.scored_rowid))
    return uids


def _rows(database: Database, uids: list[str], trained: list[Trained]) -> None:
    """Store the rows of the first metrics as the engine does, and copy them by SQL for those that are like them."""
    for uid, one in zip(uids, trained, strict=False):
        rows = range(one.rows - len(one.values) + 1, one.rows + 1)
        of = [uid] * len(rows)
        columns = zip(
            (
                "raw_anomaly_scores",
                "anomaly_scores",
                "log_scores",
                "sequence_scores",
                "novelty_scores",
                "forecasts",
                "usual_lows",
                "usual_highs",
            ),
            (*one.scores.stored, *one.scores.expected),
            strict=True,
        )
        with database.write() as conn:
            samples.append(conn, of, rows, one.timestamps, one.values, one.digests[1:])
            scores.store(conn, uids=of, rowids=rows, **{name: column.tolist() for name, column in columns})
            watermarks.move(conn, uid, hourly_rowid=rows[0] - 1)
            hours.store(conn, [hours.summed_to(conn, uid, 0, rows[0] - 1, rows[-1])])
    copy = Table(
        "benchmark_copy",
        type(schema.metadata)(),
        Column("uid", String(40), primary_key=True),
        Column("like_uid", String(40)),
    )
    with database.write() as conn:
        copy.create(conn)
        rows_of = [
            {"uid": uid, "like_uid": uids[i % DIFFERENT]} for i, uid in enumerate(uids) if i >= DIFFERENT
        ]
        if rows_of:
            conn.execute(insert(copy), rows_of)
    ordered = sorted(uids[DIFFERENT:])
    with database.write() as conn:
        embedded = conn.dialect.name == "sqlite"
        if embedded:  # made at the end, it is sorted once
            conn.exec_driver_sql("DROP INDEX merged_row_time_idx")
    for first, last in pairwise([*ordered[::BATCH], "~"] if ordered else []):
        with database.write() as conn:
            if embedded:
                _copy_merged(conn, first, last)
            else:
                _copy(conn, schema.metric_data, copy, first, last)
            _copy(conn, schema.metric_hour, copy, first, last)
    with database.write() as conn:
        copy.drop(conn)
        if embedded:
            conn.exec_driver_sql("CREATE INDEX merged_row_time_idx ON merged_row (time)")
            for statement in STATISTICS:
                conn.exec_driver_sql(statement)


def _copy(conn: Connection, table: Table, copy: Table, first: str, last: str) -> None:
    others: list[Any] = [column for column in table.c if column.name != "uid"]
    rows = (
        select(copy.c.uid, *others)
        .join_from(copy, table, table.c.uid == copy.c.like_uid)
        .where(copy.c.uid >= first, copy.c.uid < last)
        .order_by(copy.c.uid, *table.primary_key.columns)
    )
    conn.execute(insert(table).from_select(["uid", *(column.name for column in others)], rows))


def _copy_merged(conn: Connection, first: str, last: str) -> None:
    """Copy rows as merged ones: in the order of the metrics, as a fleet has them after a while."""
    names = ", ".join(SCORES)
    conn.exec_driver_sql(
        f"INSERT INTO merged_row (metric, rowid, time, value, digest, {names})"
        f" SELECT number.id, data.rowid, data.time, data.metric_value, data.digest, {names}"
        " FROM benchmark_copy AS copy JOIN metric_number AS number ON number.uid = copy.uid"
        " JOIN metric_data AS data ON data.uid = copy.like_uid"
        " WHERE copy.uid >= ? AND copy.uid < ? ORDER BY number.id, data.rowid",
        (first, last),
    )


def row_count(settings: config.Settings) -> int:
    """Return how many rows an installation keeps."""
    database = open_database(settings.repository)
    try:
        with database.read() as conn:
            return conn.scalar(select(func.count(literal(1))).select_from(schema.metric_data)) or 0
    finally:
        database.close()
