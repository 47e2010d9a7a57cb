"""The garbage collector: removes old rows, in small steps, and never one that recovery needs.

Start it with `python -m htmengine.runtime.metric_garbage_collector --threshold-days 90`; `htmengine up` runs it where
`[engine] retention_days` is set.
"""

from __future__ import annotations

import argparse
import logging
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Final

from sqlalchemy import Connection

from htmengine.errors import DependencyUnavailable, MisuseError
from htmengine.model_swapper.checkpoint_store import open_checkpoint_store
from htmengine.repository.database import Database
from htmengine.repository.retention import (
    Checkpoints,
    Removal,
    remove_alarms,
    remove_hours,
    remove_incidents,
    remove_older,
    remove_silences,
)
from htmengine.service.context import Context
from htmengine.service.program import run_program
from htmengine.service.retry import ShutdownRequested, retry_while_unavailable

NAME: Final = "metric_garbage_collector"
ROWS_BATCH_SIZE: Final = 1000
PAUSE_S: Final = 0.05
"""Between two steps: others write too."""
SECONDS_PER_DAY: Final = 86_400

log = logging.getLogger(__name__)


def collect(
    database: Database,
    before: int,
    *,
    checkpoints: Checkpoints,
    stop: threading.Event,
    rows_at_once: int = ROWS_BATCH_SIZE,
    pause_s: float = PAUSE_S,
) -> int:
    """Remove the rows older than a time and return their number.

    Parameters
    ----------
    before : seconds since the epoch.
    checkpoints : see `repository.retention`.
    stop : ends the work after the step that is being done.
    """

    def remove(conn: Connection, uid: str) -> Removal:
        return remove_older(conn, before, limit=rows_at_once, checkpoints=checkpoints, from_uid=uid)

    return _in_steps(database, remove, stop, pause_s)


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


def _in_steps(
    database: Database, step: Callable[[Connection, str], Removal], stop: threading.Event, pause_s: float
) -> int:
    """Remove rows in steps, each a transaction that begins where the one before ended; return their number."""
    removed, uid = 0, ""
    while not stop.is_set():
        with database.write() as conn:
            removal = step(conn, uid)
        removed += removal.rows
        if removal.next_uid is None:
            break
        uid = removal.next_uid
        stop.wait(pause_s)
    return removed


def work(context: Context) -> None:
    """Collect now and after each interval, until `context.stop` is set. Without a threshold there is nothing to do.

    What is removed is gone for good: a clock that was set forward is believed once it has been right for an interval.
    """
    clock, timer = context.clock, context.timer
    days = getattr(context.options, "threshold_days", None) or context.settings.retention.days
    history_days = context.settings.retention.history_days
    if days is None and history_days is None:
        context.stop.wait()
        return
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
                removed = collect(context.database, before, checkpoints=store.oldest, stop=context.stop)
                if removed:
                    log.info("%s.removed rows=%d", NAME, removed)
            if history_days is not None:
                before = int(now - history_days * SECONDS_PER_DAY)
                removed = collect_history(context.database, before, stop=context.stop)
                if removed:
                    log.info("%s.removed alarms_silences_incidents_and_hours=%d", NAME, removed)
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
