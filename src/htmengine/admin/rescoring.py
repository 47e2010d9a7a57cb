"""Scores rows again and compares: how `htmengine verify` sees whether scores are those of their samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from random import Random
from typing import Final, NamedTuple

import numpy as np
from sqlalchemy import Connection

from htmengine.htm.model import Model, OutOfOrderSample, UnreadableModel
from htmengine.model_swapper import definition
from htmengine.model_swapper.checkpoint import Checkpoint, UnreadableCheckpoint
from htmengine.model_swapper.checkpoint_store import CheckpointStore
from htmengine.model_swapper.teaching import Taught, TaughtModel, digest_of
from htmengine.repository import identity, metrics, samples
from htmengine.repository import verification as stored
from htmengine.repository.database import Database
from htmengine.repository.metrics import Definition
from htmengine.repository.row_checks import RowCounts
from htmengine.repository.samples import Rows
from htmengine.repository.status import WITH_MODEL
from htmengine.repository.teachings import read_all, silenced_rows
from htmengine.repository.times import from_epoch

SAMPLED_METRICS: Final = 20
SAMPLED_ROWS: Final = 2500
"""Of each metric of the sample: to score them takes well under a second together."""
ROWS_BATCH_SIZE: Final = 5000


class Rescored(NamedTuple):
    """What was compared of a metric."""

    rows: int
    findings: list[str]


def chosen(counts: Sequence[RowCounts], pattern: str | None, random: Random) -> list[RowCounts]:
    """Return the metrics to look at that have scores: those whose names match, or, without a pattern, some."""
    able = [metric for metric in counts if metric.status in WITH_MODEL and metric.scored]
    if pattern is not None:
        return [metric for metric in able if fnmatchcase(metric.name, pattern)]
    return random.sample(able, min(SAMPLED_METRICS, len(able)))


def rescore(
    database: Database, store: CheckpointStore, uid: str, name: str, *, most: int | None = None
) -> Rescored:
    """Let a model take a metric's rows, and compare its scores with those that are stored; likewise the digests.

    The model is new, or comes from the oldest checkpoint where the first rows are gone or there are more than `most`.
    """
    checkpoints = store.listing(uid)
    with database.read() as conn:
        found = metrics.definitions(conn, [uid]).get(uid)
        if found is None or found.status not in WITH_MODEL:
            return Rescored(0, [])
        blocks = [
            checkpoint
            for key in checkpoints
            if key.generation == found.generation and key.last_rowid <= found.last_rowid
            for checkpoint in [store.read(key)]
            if checkpoint is not None
        ]
        taught = Taught(read_all(conn, [uid]).get(uid, ()))
        findings = list(_foreign_checkpoints(conn, found, blocks, taught))
        findings += [
            f"the hour that begins {from_epoch(hour)} has other sums than its rows make"
            for hour, _, _ in stored.other_hours(conn, uid, most=most or found.last_rowid)
        ]
        rows = 0
        if begin := _begin(conn, uid, found, blocks, most, taught):
            make, first, before = begin
            model = TaughtModel(make, partial(_read, conn, uid), taught, first=first)
            rows, wrong = _compared(conn, uid, found, model, first, before, most)
            findings += wrong
    if findings:
        with database.read() as conn:
            now = metrics.definitions(conn, [uid]).get(uid)
        if now is None or (now.generation, now.status) != (found.generation, found.status):
            return Rescored(rows, [])  # its scores are cleared just now
    return Rescored(rows, [f"{name}: {finding}" for finding in findings])


def _foreign_checkpoints(
    conn: Connection, found: Definition, blocks: Sequence[Checkpoint], taught: Taught
) -> Iterator[str]:
    models = [found.model_digest ^ digest_of(forgotten) for forgotten in taught.models()]
    for checkpoint in blocks:
        digests = [identity.with_model(checkpoint.digest, model) for model in models]
        of_row = samples.digest_at(conn, checkpoint.uid, checkpoint.last_rowid)
        if identity.UNKNOWN not in (*digests, of_row) and of_row not in digests:
            yield f"the checkpoint of row {checkpoint.last_rowid} has taken other samples than those that are stored"


def _read(conn: Connection, uid: str, first: int, last: int) -> Rows:
    """Return the rows between two, all of them. Raises OutOfOrderSample where one is missing: nothing can be compared."""
    rows = samples.read(conn, uid, first, last, last - first + 1)
    if len(rows.rowids) != last - first + 1:
        raise OutOfOrderSample("a row is missing")
    return rows


def _begin(
    conn: Connection,
    uid: str,
    found: Definition,
    blocks: Sequence[Checkpoint],
    most: int | None,
    taught: Taught,
) -> tuple[Callable[[], Model], int, int] | None:
    """Return how to make a model, the first row that it takes, and the digest before that; None where none can be had."""
    first = found.base_rowid + 1
    range_ = samples.stored_range(conn, uid)
    is_new = found.model_digest in (
        identity.UNKNOWN,
        identity.of(found.model_params, found.base_rowid),
    )  # and no copy of another metric's
    has_past = is_new and range_ is not None and range_.oldest <= first
    if taught.ever_forgot:
        most = None  # a checkpoint is of one of several models
        blocks = ()
    if not has_past or (most is not None and found.scored_rowid - found.base_rowid > most):
        for checkpoint in blocks:
            if model := _usable(checkpoint, found):
                digest = identity.with_model(checkpoint.digest, found.model_digest)
                return partial(_self, model), checkpoint.last_rowid + 1, digest
    if not has_past:
        return None
    try:
        parameters = definition.parse(found.model_params)
        make = partial(Model, parameters, generation=found.generation)
        make()
        return make, first, samples.digest_at(conn, uid, first - 1)
    except ValueError:
        return None  # the scheduler says so of the metric


def _self(model: Model) -> Model:
    return model


def _usable(checkpoint: Checkpoint, found: Definition) -> Model | None:
    try:
        model = Model.load(checkpoint.block())
    except (UnreadableCheckpoint, UnreadableModel):
        return None
    fits = model.generation == found.generation and found.base_rowid + model.rows == checkpoint.last_rowid
    return model if fits and checkpoint.last_rowid < found.scored_rowid else None


def _compared(
    conn: Connection,
    uid: str,
    found: Definition,
    model: TaughtModel,
    first: int,
    before: int,
    most: int | None,
) -> tuple[int, list[str]]:
    """Return how many rows were compared, and what is wrong with the first that is wrong."""
    last = found.scored_rowid if most is None else min(found.scored_rowid, first + most - 1)
    rows = 0
    tells = False
    while first <= last:
        page = stored.scored_rows(conn, uid, first, min(last, first + ROWS_BATCH_SIZE - 1))
        if not page.rowids or page.rowids[-1] != first + len(page.rowids) - 1:
            break  # rows are missing, which is another finding
        expected = identity.before(page.digests, page.timestamps, page.values)
        for rowid, digest, follows in zip(page.rowids, [before, *page.digests], expected, strict=False):
            if identity.UNKNOWN not in (digest, follows) and digest != follows:
                return rows, [f"row {rowid} does not follow on row {rowid - 1}: one of them was changed"]
        try:
            series, _, silenced = model.score(Rows(page.rowids, page.timestamps, page.values, page.digests))
        except OutOfOrderSample:
            break  # likewise
        of_samples = np.column_stack(series.stored)
        kept = np.array(page.scores, dtype=np.float64)
        # Rows of the original engine have other scores, and only two of them.
        wrong = np.flatnonzero((of_samples != kept).any(axis=1) & np.isfinite(kept).all(axis=1))
        rows += len(page.rowids)
        if len(wrong):
            at = int(wrong[0])
            return rows, [
                f"row {page.rowids[at]} has other scores than its samples make: the anomaly score is "
                f"{kept[at, 1]:.6f}, not {of_samples[at, 1]:.6f}"
            ]
        of_samples = np.column_stack(series.expected)
        of_samples[~np.isfinite(of_samples)] = np.nan
        kept = np.array(page.expected, dtype=np.float64)
        known = np.isfinite(kept).any(axis=1)
        if not tells:  # earlier rows may be of a version that did not store it
            of_samples[: known.argmax() if known.any() else None] = np.nan
        tells |= bool(known.any())
        wrong = np.flatnonzero(~((of_samples == kept) | (np.isnan(of_samples) & np.isnan(kept))).all(axis=1))
        if len(wrong):
            at = int(wrong[0])
            return rows, [
                f"row {page.rowids[at]} has another forecast, or other usual values, than its samples make: "
                f"{_numbers(kept[at])}, not {_numbers(of_samples[at])}"
            ]
        stored_as = silenced_rows(conn, uid, page.rowids[0], page.rowids[-1])
        if stored_as != {page.rowids[place]: label for place, label in silenced.items()}:
            return rows, [
                f"of rows {page.rowids[0]} to {page.rowids[-1]}, others are stored as silenced than are taught"
            ]
        first += len(page.rowids)
        before = page.digests[-1]
    return rows, []


def _numbers(row: Iterable[float]) -> str:
    forecast, low, high = (f"{number:.6g}" for number in row)
    return f"{forecast} ({low} to {high})"
