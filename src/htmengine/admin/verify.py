"""Checks that nothing was lost, doubled or mixed up: what `htmengine verify` and the chaos test ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from random import Random
from typing import Any, Final, NamedTuple

from htmengine.admin import rescoring
from htmengine.htm.model import Model, UnreadableModel
from htmengine.model_swapper.checkpoint import UnreadableCheckpoint
from htmengine.model_swapper.checkpoint_store import CheckpointStore, open_checkpoint_store
from htmengine.repository import row_checks
from htmengine.repository import verification as stored
from htmengine.repository.checkpoints import CheckpointKey
from htmengine.repository.row_checks import RowCounts, RowKey
from htmengine.repository.status import WITH_MODEL
from htmengine.service.context import Context

MAX_FINDINGS: Final = 100
METRICS_BATCH_SIZE: Final = 500
CHECKPOINTS_BATCH_SIZE: Final = 200
"""Metrics whose checkpoints are read at a time: some megabytes."""
MODELS_LOADED: Final = 2000
"""Of more metrics than that, so many are chosen whose models are loaded. Of all others the checksums of checkpoints tell
that they are what was written."""


class Report(NamedTuple):
    """What was looked at, and what is wrong."""

    metrics: int
    rows: int
    checkpoints: int
    unscored: int
    """Rows of models that wait for their scores."""
    rescored: int
    """Rows that were scored again, to compare."""
    findings: list[str]

    def document(self) -> dict[str, Any]:
        """Return the same for JSON."""
        return self._asdict()


def verify(
    context: Context,
    *,
    settled: bool = False,
    rescore: str | None = None,
    named: str | None = None,
    since: float | None = None,
    show: Callable[[str, int, int], None] = lambda what, done, of: None,
    random: Random | None = None,
) -> Report:
    """Check everything that is stored, or a part of it. Safe while services run.

    It takes as long as there are rows and checkpoints, and reads those of METRICS_BATCH_SIZE metrics at a time.

    Parameters
    ----------
    settled : nothing may be on its way: every row of a model must have its scores, every queue be empty.
    rescore : a pattern such as `web.*`: all rows of the metrics that match are scored again, as far as their models can
        be had. None for a number of rows of some metrics.
    named : a pattern: only metrics that match are looked at.
    since : seconds since the epoch: only rows from this time on are looked at, and checkpoints that were written since.
    show : called with what is being done, how much of it is done, and of how much.
    random : chooses metrics whose rows are scored again, and models that are loaded where there are many.
    """
    random = random or Random()
    # Checkpoints are read first: rows are only added, so a checkpoint that is newer than all rows is a fault.
    store = open_checkpoint_store(context.settings, context.database)
    checkpoints = store.listing()
    with context.database.read() as conn:
        names = dict(stored.metric_names(conn))
    if named is not None:
        names = {uid: name for uid, name in names.items() if fnmatchcase(name, named)}
        checkpoints = [key for key in checkpoints if key.uid in names]
    recent = [key for key in checkpoints if since is None or key.written_at >= since]
    findings = _unreadable(store, recent, random, show)
    counts, of_rows = _counted(context, list(names), since, show)
    findings += [finding for metric in counts for finding in row_findings(metric)]
    findings += checkpoint_findings(counts, checkpoints)
    compared = 0
    some = rescoring.chosen(counts, rescore, random)
    for done, metric in enumerate(some):
        show("Scoring metrics again", done, len(some))
        most = rescoring.SAMPLED_ROWS if rescore is None else None
        rows, wrong = rescoring.rescore(context.database, store, metric.uid, metric.name, most=most)
        compared += rows
        findings += wrong
    findings += of_rows
    with context.database.read() as conn:
        silent = stored.without_alarm(conn, since=since, limit=MAX_FINDINGS)
        others = stored.alarms_of_other_rows(conn, since=since, limit=MAX_FINDINGS)
        twice = stored.names_taken_twice(conn)
        forgotten = stored.held_without_backfill(conn)
    findings += [
        f"{row.uid}: row {row.rowid} alarms, but its alarm is not stored"
        for row in silent
        if row.uid in names
    ]
    findings += [
        f"{row.uid}: the alarm of row {row.rowid} is not of that row" for row in others if row.uid in names
    ]
    wanted = set(names.values())
    findings += [f"{name}: several metrics have this name" for name in twice if name in wanted]
    if settled:
        findings += _unsettled(context, counts)
        findings += [
            f"{name}: {count} live samples are held, but no history is being sent"
            for name, count in forgotten.items()
            if named is None or name in wanted
        ]
    unscored = sum(metric.last_rowid - metric.scored_rowid for metric in counts if _has_model(metric))
    return Report(
        len(counts),
        sum(metric.rows for metric in counts),
        len(recent),
        unscored,
        compared,
        findings[:MAX_FINDINGS],
    )


def _counted(
    context: Context, uids: Sequence[str], since: float | None, show: Callable[[str, int, int], None]
) -> tuple[list[RowCounts], list[str]]:
    """Return the counts of metrics, and what is wrong with single rows of them.

    In one transaction for some metrics at a time: a long one would keep others from reusing what they have written over.
    """
    counts: list[RowCounts] = []
    reversals: list[RowKey] = []
    halves: list[RowKey] = []
    for start in range(0, len(uids), METRICS_BATCH_SIZE):
        show("Reading rows", start, len(uids))
        part = row_checks.Part(uids[start : start + METRICS_BATCH_SIZE], since)
        with context.database.read() as conn:
            found = row_checks.checked(conn, part, limit=MAX_FINDINGS)
        counts += found.counts
        reversals += found.reversals
        halves += found.halves
    return counts, [
        *(f"{row.uid}: row {row.rowid} is not later than the row before it" for row in reversals),
        *(
            f"{row.uid}: row {row.rowid} has only some of its scores, or one outside of 0 to 1"
            for row in halves
        ),
    ]


def row_findings(metric: RowCounts) -> list[str]:
    """Return what is wrong with a metric's rows, its watermark and its scores."""
    findings = []
    if metric.first is not None and metric.last is not None:
        if metric.last - metric.first + 1 != metric.rows:
            findings.append(
                f"{metric.rows} rows are stored from {metric.first} to {metric.last}: some are missing"
            )
        if metric.last != metric.last_rowid:
            findings.append(f"last_rowid is {metric.last_rowid}, but the last row is {metric.last}")
        if metric.tail_timestamp is not None and metric.tail_timestamp != metric.newest:
            findings.append(f"tail_timestamp is {metric.tail_timestamp}, but the newest row {metric.newest}")
    if metric.scored_rowid > metric.last_rowid:
        findings.append(f"scored_rowid {metric.scored_rowid} is beyond last_rowid {metric.last_rowid}")
    if metric.scored != metric.expected_scored:
        findings.append(
            f"{metric.scored} rows have scores, but by scored_rowid {metric.scored_rowid} it should be "
            f"{metric.expected_scored}"
        )
    elif metric.scored and metric.scored_to != metric.scored_rowid:
        findings.append(f"scores reach row {metric.scored_to}, but scored_rowid says {metric.scored_rowid}")
    if metric.oldest is not None and _has_model(metric) and metric.oldest > metric.scored_rowid + 1:
        findings.append(
            f"rows {metric.scored_rowid + 1} to {metric.oldest - 1} were removed before they were scored"
        )
    return [f"{metric.name}: {finding}" for finding in findings]


def checkpoint_findings(counts: Sequence[RowCounts], checkpoints: Sequence[CheckpointKey]) -> list[str]:
    """Return what is wrong with checkpoints as against the rows."""
    by_uid = {metric.uid: metric for metric in counts}
    of_metric: dict[str, list[CheckpointKey]] = {}
    findings = []
    for checkpoint in checkpoints:
        of_metric.setdefault(checkpoint.uid, []).append(checkpoint)
        metric = by_uid.get(checkpoint.uid)
        if metric is None or checkpoint.generation != metric.generation:
            continue  # of a model that is gone; the scheduler drops it
        if checkpoint.last_rowid > metric.last_rowid:
            findings.append(
                f"{metric.name}: a checkpoint has seen row {checkpoint.last_rowid}, but the last row is "
                f"{metric.last_rowid}"
            )
        if checkpoint.last_rowid < metric.base_rowid:
            findings.append(
                f"{metric.name}: a checkpoint is of row {checkpoint.last_rowid}, before the model's first, "
                f"{metric.base_rowid + 1}"
            )
    for metric in counts:
        usable = [
            checkpoint.last_rowid
            for checkpoint in of_metric.get(metric.uid, ())
            if checkpoint.generation == metric.generation and checkpoint.last_rowid <= metric.scored_rowid
        ]
        needed = max(usable, default=metric.base_rowid) + 1
        if _has_model(metric) and metric.oldest is not None and metric.oldest > needed:
            findings.append(
                f"{metric.name}: the model cannot be made again: row {needed} is needed, the first is {metric.oldest}"
            )
    return findings


def _has_model(metric: RowCounts) -> bool:
    return metric.status in WITH_MODEL


def _unreadable(
    store: CheckpointStore,
    keys: Sequence[CheckpointKey],
    random: Random,
    show: Callable[[str, int, int], None],
) -> list[str]:
    """Return which checkpoints are damaged, or hold no model that can be loaded."""
    findings = []
    uids = list(dict.fromkeys(key.uid for key in keys))
    wanted = {key[:3] for key in keys}
    loaded = set(uids if len(uids) <= MODELS_LOADED else random.sample(uids, MODELS_LOADED))
    done = 0
    for start in range(0, len(uids), CHECKPOINTS_BATCH_SIZE):
        show("Reading checkpoints", done, len(keys))
        for checkpoint in store.of_metrics(uids[start : start + CHECKPOINTS_BATCH_SIZE]):
            if checkpoint[:3] not in wanted:
                continue  # written meanwhile, or before what is looked at
            done += 1
            name = f"{checkpoint.uid}: the checkpoint of row {checkpoint.last_rowid}"
            try:
                block = checkpoint.block()
                model = Model.load(block) if checkpoint.uid in loaded else None
            except (UnreadableModel, UnreadableCheckpoint) as error:
                findings.append(f"{name} cannot be read: {error}")
                continue
            if model and model.generation != checkpoint.generation:
                findings.append(
                    f"{name} is of generation {checkpoint.generation}, its model of {model.generation}"
                )
    return findings


def _unsettled(context: Context, counts: Sequence[RowCounts]) -> list[str]:
    findings = [
        f"{metric.name}: rows {metric.scored_rowid + 1} to {metric.last_rowid} have no scores"
        for metric in counts
        if _has_model(metric) and metric.scored_rowid < metric.last_rowid
    ]
    ours = set(context.data_queues.every) | {
        name(shard)
        for shard in range(context.shards)
        for name in (context.settings.model_input_queue, context.settings.results_shard_queue)
    }
    findings += [
        f"{queue.name}: {queue.ready + queue.unacked} messages wait"
        for queue in context.bus.status()
        if queue.name in ours and queue.ready + queue.unacked
    ]
    return findings
