"""The garbage collector: removes old rows, in small steps, and never one that recovery needs.

Start it with `python -m htmengine.runtime.metric_garbage_collector --threshold-days 90`; `htmengine up` runs it where
`[engine] retention_days` is set.
"""

from __future__ import annotations

import argparse
import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import Connection, Engine, select

from htmengine.errors import DependencyAway, MisuseError
from htmengine.model_swapper.checkpoint_store import open_checkpoint_store
from htmengine.repository import schema
from htmengine.repository.engine import reading, writing
from htmengine.repository.retention import remove_older
from htmengine.runtime.process import Context, run_program

NAME: Final = "metric_garbage_collector"
ROWS_AT_ONCE: Final = 1000
PAUSE_S: Final = 0.05
"""Between two steps: others write too."""
SECONDS_PER_DAY: Final = 86_400

log = logging.getLogger(__name__)


def collect(
    engine: Engine,
    before: int,
    *,
    checkpoints: Callable[[], Mapping[str, int]],
    stop: threading.Event,
    rows_at_once: int = ROWS_AT_ONCE,
    pause_s: float = PAUSE_S,
) -> int:
    """Remove the rows older than a time and return their number.

    Parameters
    ----------
    before : seconds since the epoch.
    checkpoints : returns, by uid, the last rowid that every checkpoint of the metric's model has seen.
    stop : ends the work after the step that is being done.
    """
    removed, uid = 0, ""
    safe = checkpoints()
    while not stop.is_set():
        with writing(engine) as conn:
            step = remove_older(conn, before, limit=rows_at_once, checkpoints=safe, from_uid=uid)
        removed += step.rows
        if step.next_uid is None:
            break
        uid = step.next_uid
        stop.wait(pause_s)
    return removed


def work(context: Context, *, clock: Callable[[], float] = time.time) -> None:
    """Collect now and after each interval, until `context.stop` is set. Without a threshold there is nothing to do."""
    days = getattr(context.options, "threshold_days", None) or context.settings.retention.days
    if days is None:
        context.stop.wait()
        return
    store = open_checkpoint_store(context.settings, context.engine)

    def checkpoints() -> dict[str, int]:
        with reading(context.engine) as conn:
            oldest = store.oldest(_uids(conn))
        safe: dict[str, int] = {}
        for (uid, _), rowid in oldest.items():
            safe[uid] = min(rowid, safe.get(uid, rowid))
        return safe

    while not context.stop.is_set():
        before = int(clock() - days * SECONDS_PER_DAY)
        try:
            removed = collect(context.engine, before, checkpoints=checkpoints, stop=context.stop)
            if removed:
                log.info("%s.removed rows=%d", NAME, removed)
        except DependencyAway as error:
            log.warning("%s.waiting reason=%s", NAME, error)
        context.stop.wait(context.settings.retention.interval_s)


def _uids(conn: Connection) -> list[str]:
    return list(conn.scalars(select(schema.metric.c.uid)))


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
