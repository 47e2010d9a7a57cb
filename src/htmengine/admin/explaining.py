"""Why any row got its scores: its model is made again as it was before the row, from the nearest checkpoint or anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from sqlalchemy import Connection

from htmengine.errors import ExplainedError
from htmengine.htm.explanation import Explanation, Scores, SeriesScores
from htmengine.htm.model import Model, OutOfOrderSample, UnreadableModel
from htmengine.model_swapper import definition
from htmengine.model_swapper.checkpoint import UnreadableCheckpoint
from htmengine.model_swapper.checkpoint_store import open_checkpoint_store
from htmengine.model_swapper.teaching import Forgotten, Taught, digest_of, without
from htmengine.repository import identity, metrics, samples
from htmengine.repository.metrics import Definition
from htmengine.repository.samples import Rows
from htmengine.repository.status import WITH_MODEL
from htmengine.repository.teachings import read_all
from htmengine.service.context import Context

MAX_ROWS: Final = 100_000
"""So many rows are scored again at most: some seconds."""
ROWS_BATCH_SIZE: Final = 5000


class CannotExplain(ExplainedError):
    """The model cannot be made again as it was before a row."""


class Explained(NamedTuple):
    """A row, and why it got its scores."""

    rowid: int
    timestamp: int
    value: float
    explanation: Explanation
    """With the scores that the row has by what the model was taught."""
    silenced_by: int | None = None
    """The number of the label by which it does not alarm."""


def explain(context: Context, uid: str, rowid: int) -> Explained:
    """Return why a row got its scores. It takes as long as to score the rows since the nearest checkpoint before it.

    Raises
    ------
    ObjectNotFoundError : there is no such metric.
    CannotExplain : the row is none of the model's, rows before it are gone, or the model is of a kind that explains
        nothing.
    """
    store = open_checkpoint_store(context.settings, context.database)
    keys = sorted(store.listing(uid), key=lambda key: key.last_rowid, reverse=True)
    with context.database.read() as conn:
        found = metrics.definitions(conn, [uid]).get(uid)
        if found is None:
            raise metrics.not_found(uid)
        if found.status not in WITH_MODEL or not found.base_rowid < rowid <= found.scored_rowid:
            raise CannotExplain(
                f"Row {rowid} has no score of the present model, which has scored rows {found.base_rowid + 1} to "
                f"{found.scored_rowid}.",
                hint="Name one of these rows.",
            )
        row = samples.read(conn, uid, rowid, rowid, 1)
        if not row.rowids:
            raise CannotExplain(f"Row {rowid} was removed.", hint="Newer rows can be explained.")
        taught = Taught(read_all(conn, [uid]).get(uid, ()))
        forgotten = taught.forgotten(rowid, row.timestamps[0])
        for key in keys:
            if key.generation != found.generation or not found.base_rowid < key.last_rowid < rowid:
                continue
            checkpoint = store.read(key)
            try:
                model = Model.load(checkpoint.block()) if checkpoint else None
            except (UnreadableCheckpoint, UnreadableModel):
                model = None
            if model is None or checkpoint is None or found.base_rowid + model.rows != key.last_rowid:
                continue
            began_with = found.model_digest ^ digest_of(forgotten)
            if taught.ever_forgot and (
                identity.with_model(checkpoint.digest, began_with)
                != samples.digest_at(conn, uid, key.last_rowid)
            ):
                continue  # of a model that has forgotten something else
            return _explained(conn, uid, model, key.last_rowid + 1, row, taught, forgotten)
        return _explained(conn, uid, _new(conn, uid, found), found.base_rowid + 1, row, taught, forgotten)


def _new(conn: Connection, uid: str, found: Definition) -> Model:
    range_ = samples.stored_range(conn, uid)
    is_new = found.model_digest in (identity.UNKNOWN, identity.of(found.model_params, found.base_rowid))
    if not is_new or range_ is None or range_.oldest > found.base_rowid + 1:
        raise CannotExplain(
            "The model's first rows were removed, and no checkpoint from before this row is left.",
            hint="Newer rows can be explained; the reasons of alarms are stored.",
        )
    try:
        return Model(definition.parse(found.model_params), generation=found.generation)
    except ValueError as error:
        raise CannotExplain(f"The model cannot be made: {error}.", hint="Monitor the metric anew.") from error


def _explained(
    conn: Connection, uid: str, model: Model, first: int, row: Rows, taught: Taught, forgotten: Forgotten
) -> Explained:
    (rowid,) = row.rowids
    if rowid - first > MAX_ROWS:
        raise CannotExplain(
            f"{rowid - first} rows lie between the nearest checkpoint and row {rowid}, more than {MAX_ROWS}.",
            hint="Newer rows can be explained; the reasons of alarms are stored.",
        )
    try:
        while first < rowid:
            page = samples.read(conn, uid, first, rowid - 1, ROWS_BATCH_SIZE)
            if not page.rowids or page.rowids[-1] != first + len(page.rowids) - 1:
                raise CannotExplain(
                    f"Row {first} or a later one was removed.", hint="Newer rows can be explained."
                )
            values = without(forgotten, page.timestamps, page.values)
            model.score_series(page.timestamps, np.array(values) + 0.0)
            first += len(page.rowids)
        scores = model.score_series(row.timestamps, np.array(row.values) + 0.0)
    except OutOfOrderSample as error:
        raise CannotExplain(
            f"The rows' times go back: {error}.", hint="`htmengine verify` tells more."
        ) from error
    explanation = model.explain()
    if explanation is None:
        raise CannotExplain(
            "Models of this parameter set do not explain their scores.", hint="Those of the set default do."
        )
    scores = SeriesScores(*(column.copy() for column in scores))
    silenced = taught.judge(row.rowids, row.timestamps, row.values, scores, {0: explanation})
    if taught:
        judged = Scores(*(float(column[0]) for column in scores))
        explanation = replace(explanation, scores=judged)
    return Explained(rowid, row.timestamps[0], row.values[0], explanation, silenced.get(0))
