"""The garbage collector: removes old rows, in small steps, and never one that recovery needs.

Start it with `python -m htmengine.runtime.metric_garbage_collector --threshold-days 90`. `htmengine up` runs it: it removes
the oldest rows of a file when the disk has little room left, or the file is as large as `[engine] retention_gibibytes`
says, and rows older than `[engine] retention_days`.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from htmengine import config
from htmengine.errors import DependencyUnavailable, MisuseError
from htmengine.model_swapper.checkpoint_store import CheckpointStore, open_checkpoint_store
from htmengine.repository.checkpoints import ModelKey
from htmengine.repository.database import Database
from htmengine.repository.file_space import can_shrink, file_space, shrink
from htmengine.repository.retention import (
    Checkpoints,
    Removal,
    oldest_timestamp,
    remove_alarms,
    remove_hours,
    remove_incidents,
    remove_older,
    remove_silences,
)
from htmengine.service.context import Context, data_folder, free_bytes
from htmengine.service.program import run_program
from htmengine.service.retry import ShutdownRequested, retry_while_unavailable

NAME: Final = "metric_garbage_collector"
ROWS_BATCH_SIZE: Final = 1000
PAUSE_S: Final = 0.05
"""Between two steps: others write too."""
SECONDS_PER_DAY: Final = 86_400
FREE_SHARE: Final = 0.1
"""Of the disk, that is left to others; on large disks FREE_BYTES."""
FREE_BYTES: Final = 10 << 30
LEAST_USED: Final = 256 << 20
"""A smaller file is not what fills the disk."""
MAX_PASSES: Final = 20
"""Over all metrics, in one round: where rows are not spread evenly over time, one is not enough."""

log = logging.getLogger(__name__)


def collect(
    database: Database,
    before: int,
    *,
    checkpoints: Checkpoints,
    forget: Callable[[Mapping[ModelKey, int]], None] = lambda anchors: None,
    stop: threading.Event,
    rows_at_once: int = ROWS_BATCH_SIZE,
    pause_s: float = PAUSE_S,
) -> int:
    """Remove the rows older than a time and return their number.

    Parameters
    ----------
    before : seconds since the epoch.
    checkpoints : see `repository.retention`.
    forget : called with the anchors behind which the rows of models begin then.
    stop : ends the work after the step that is being done.
    """

    def remove(conn: Connection, uid: str) -> Removal:
        return remove_older(conn, before, limit=rows_at_once, checkpoints=checkpoints, from_uid=uid)

    return _in_steps(database, remove, stop, pause_s, forget)


def excess_bytes(context: Context) -> int:
    """Return by how much the rows of a file take more than they may; 0 for a server, which has disks of its own."""
    folder = data_folder(context.settings)
    if context.settings.repository.dialect != "sqlite" or folder is None:
        return 0
    with context.database.read() as conn:
        space = file_space(conn)
    if (limit := context.settings.retention.gibibytes) is not None:
        return max(0, space.used - int(limit * (1 << 30)))
    if space.used < LEAST_USED:
        return 0
    return max(0, reserve_bytes(folder) - free_bytes(folder) - space.reusable)


def reserve_bytes(folder: Path) -> int:
    """Return how much of the disk is left to others."""
    return min(int(shutil.disk_usage(folder).total * FREE_SHARE), FREE_BYTES)


def rule(settings: config.Settings) -> str:
    """Say which rows are kept."""
    days, limit = settings.retention.days, settings.retention.gibibytes
    folder = data_folder(settings)
    said = [] if days is None else [f"for {days:g} days"]
    if settings.repository.dialect == "sqlite" and folder is not None:
        if limit is not None:
            said.append(f"as long as they take less than {limit:g} GiB")
        else:
            reserve = reserve_bytes(folder) / (1 << 30)
            said.append(f"as long as {reserve:.1f} GiB of the disk are free or can be used again")
    if not said:
        return "All rows are kept: [engine] retention_days limits them."
    return f"Rows are kept {' and '.join(said)}; then the oldest go ([engine] retention_days, retention_gibibytes)."


def collect_excess(context: Context, store: CheckpointStore, now: float, *, pause_s: float = PAUSE_S) -> int:
    """Remove the oldest rows until the others take no more than they may; return the number of those removed."""
    removed = 0
    for _ in range(MAX_PASSES):
        excess = excess_bytes(context)
        if not excess or context.stop.is_set():
            break
        with context.database.read() as conn:
            oldest, space = oldest_timestamp(conn), file_space(conn)
        newest_to_go = now - SECONDS_PER_DAY
        if oldest is None or oldest >= newest_to_go:
            break
        share = min(1.0, 1.1 * excess / space.used)
        before = min(oldest + max(share * (now - oldest), SECONDS_PER_DAY), newest_to_go)
        some = collect(
            context.database,
            int(before),
            checkpoints=store.rowids,
            forget=store.delete_older,
            stop=context.stop,
            pause_s=pause_s,
        )
        removed += some
        if not some and before >= newest_to_go:
            break
    return removed


def collect_history(
    database: Database,
    before: int,
    *,
    stop: threading.Event,
    rows_at_once: int = ROWS_BATCH_SIZE,
    pause_s: float = PAUSE_S,
) -> int:
    """Remove the alarms, silences, incidents and hours older than a time, as `collect` does, and return their number."""

    def rows(remove: Callable[..., int], conn: Connection, uid: str) -> Removal:
        removed = remove(conn, before, limit=rows_at_once)
        return Removal(removed, uid if removed >= rows_at_once else None)

    def hours(conn: Connection, uid: str) -> Removal:
        return remove_hours(conn, before, from_uid=uid)

    removals = remove_alarms, remove_silences, remove_incidents
    steps: list[Callable[[Connection, str], Removal]] = [partial(rows, remove) for remove in removals]
    steps.append(hours)
    return sum(_in_steps(database, step, stop, pause_s) for step in steps)


def give_back(database: Database, *, stop: threading.Event, pause_s: float = PAUSE_S) -> int:
    """Give pages that new rows will not need for long back to the disk, in small steps; return how many bytes."""
    given = 0
    while not stop.is_set():
        with database.read() as conn:
            if not can_shrink(conn):
                break
            before = file_space(conn).reusable
        with database.write() as conn:
            shrink(conn)
            given += max(0, before - file_space(conn).reusable)
        stop.wait(pause_s)
    return given


def _in_steps(
    database: Database,
    step: Callable[[Connection, str], Removal],
    stop: threading.Event,
    pause_s: float,
    forget: Callable[[Mapping[ModelKey, int]], None] = lambda anchors: None,
) -> int:
    """Remove rows in steps, each a transaction that begins where the one before ended; return their number."""
    removed, uid = 0, ""
    while not stop.is_set():
        with database.write() as conn:
            removal = step(conn, uid)
        removed += removal.rows
        if removal.anchors:
            forget(removal.anchors)
        if removal.next_uid is None:
            break
        uid = removal.next_uid
        stop.wait(pause_s)
    return removed


def work(context: Context) -> None:
    """Collect now and after each interval, until `context.stop` is set.

    What is removed is gone for good: a clock that was set forward is believed once it has been right for an interval.
    """
    clock, timer = context.clock, context.timer
    days = getattr(context.options, "threshold_days", None) or context.settings.retention.days
    history_days = context.settings.retention.history_days
    try:
        store = retry_while_unavailable(
            partial(open_checkpoint_store, context.settings, context.database), NAME, context.stop
        )
    except ShutdownRequested:
        return
    began = clock() - timer()
    while not context.stop.is_set():
        began_by_now = clock() - timer()
        now = min(began, began_by_now) + timer()
        began = began_by_now
        try:
            if days is not None:
                before = int(now - days * SECONDS_PER_DAY)
                removed = collect(
                    context.database,
                    before,
                    checkpoints=store.rowids,
                    forget=store.delete_older,
                    stop=context.stop,
                )
                if removed:
                    log.info("%s.removed rows=%d", NAME, removed)
            if removed := collect_excess(context, store, now):
                log.info("%s.made_room rows=%d", NAME, removed)
            elif excess := excess_bytes(context):
                log.warning("%s.no_room bytes=%d reason=what is left is needed, or of today", NAME, excess)
            if history_days is not None:
                before = int(now - history_days * SECONDS_PER_DAY)
                removed = collect_history(context.database, before, stop=context.stop)
                if removed:
                    log.info("%s.removed alarms_silences_incidents_and_hours=%d", NAME, removed)
            if given := give_back(context.database, stop=context.stop):
                log.info("%s.gave_back bytes=%d", NAME, given)
        except DependencyUnavailable as error:
            log.warning("%s.waiting reason=%s", NAME, error)
        context.stop.wait(context.settings.retention.interval_s)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threshold-days", type=float, required=True, metavar="D", help="remove rows older than so many days"
    )


def _checked(context: Context) -> None:
    if not context.options.threshold_days > 0:
        raise MisuseError(
            f"--threshold-days {context.options.threshold_days:g} is not a positive number.",
            hint="Give the number of days that rows are kept, for example 90.",
        )
    work(context)


if __name__ == "__main__":
    sys.exit(run_program(_checked, NAME, arguments=_arguments))
