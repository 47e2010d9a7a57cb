"""What `htmengine replay` does: read a file, send it through the queue, wait for its scores."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from htmengine.admin import backfill
from htmengine.cli import refusals
from htmengine.cli.inputs import opened
from htmengine.cli.progress import counting_bar, progress_bar
from htmengine.cli.session import installation, tell_if_nobody_takes
from htmengine.cli.terminal import echo_stderr
from htmengine.doors.plaintext import parse_line
from htmengine.doors.reasons import BadSample
from htmengine.errors import ExplainedError, MisuseError
from htmengine.repository import overview
from htmengine.series.options import Options
from htmengine.series.reader import read
from htmengine.service.context import Context

POLL_S: Final = 0.2
TIMEOUT_S: Final = 60.0
"""How long nothing may move while `--wait` waits."""


class Request(NamedTuple):
    """What the user asked for; see the options of `htmengine.cli.commands.replay.replay`."""

    source: str
    metric: str
    reading: Options
    monitor: bool
    wait: bool
    data: Path | None
    config: Path | None


def run(request: Request) -> tuple[dict[str, Any], int]:
    """Carry out a request; return what became of it, and the exit code."""
    try:
        parse_line(f"{request.metric} 0 0")
    except BadSample as error:
        raise MisuseError(
            f"--metric {request.metric!r} cannot be a metric's name: {error}.",
            hint="A name has no blanks, such as web.requests.",
        ) from error
    with ExitStack() as stack:
        stream, name = stack.enter_context(opened(request.source))
        context = stack.enter_context(installation(request.config, request.data))
        # First: a queue that nobody takes from gets full, and then this waits.
        tell_if_nobody_takes(
            context, context.data_queues.every, "metric_storer", "what is sent waits in the queue."
        )
        with backfill.begun(context, request.metric) as publish:
            with progress_bar(stream, "Reading") as show:
                (series,) = read(stream, name, request.reading, show=show)
            for note in series.notes:
                echo_stderr(note)
            if request.monitor:
                from htmengine.cli import monitoring

                monitoring.ensure_monitored(context, [request.metric])
            known = ~np.isnan(series.values)
            seconds = np.floor(series.timestamps[known]).astype(np.int64).tolist()
            refused = refusals.foreseen(context, {request.metric: seconds})
            with counting_bar() as show_sent:
                values = series.values[known].tolist()
                for sent in backfill.sent(request.metric, seconds, values, publish):
                    show_sent("Sending", sent, len(seconds))
        result: dict[str, Any] = {
            "metric": request.metric,
            "sent": len(seconds),
            "missing": series.missing,
            "skipped": series.bad.count,
            "refused": refused,
        }
        for bad in series.bad.first[:5]:
            echo_stderr(f"{name}: line {bad.line} is skipped: {bad.reason}")
        code = refusals.tell(refused, len(seconds))
        if request.wait and seconds:
            result |= wait_for(context, request.metric, seconds[-1])
        return result, code


def wait_for(context: Context, metric: str, last: int) -> dict[str, Any]:
    """Wait until the metric's rows reach the second `last`, and their scores too if it is monitored.

    Raises ExplainedError when nothing has moved for a minute: no engine may be running.
    """
    before: tuple[int, int] | None = None
    moved = time.monotonic()
    while True:
        with context.database.read() as conn:
            state = overview.metric(conn, metric)
        now = (state.last_rowid, state.scored_rowid) if state else None
        if state and (state.tail_timestamp or 0) >= last:
            if not state.monitored or state.scored_rowid >= state.last_rowid:
                return {"stored": state.last_rowid, "scored": state.scored_rowid}
            if state.waits_for_rows or state.failed:
                return {"stored": state.last_rowid, "scored": state.scored_rowid, "status": state.status_name}
        if now != before:
            before, moved = now, time.monotonic()
        elif time.monotonic() - moved > TIMEOUT_S:
            raise ExplainedError(
                f"{metric}: nothing was stored or scored for {TIMEOUT_S:.0f} seconds; what was sent is in the queue.",
                hint=f"Start `htmengine up` if none runs; `htmengine doctor {metric}` says where the samples are.",
            )
        time.sleep(POLL_S)
