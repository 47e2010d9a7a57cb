"""What `htmengine replay` does: read a file, send it through the queue, wait for its scores."""

import io
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from htmengine.cli.progress import progress_bar
from htmengine.cli.session import installation, tell_if_nobody_takes
from htmengine.cli.terminal import echo_stderr
from htmengine.doors.plaintext import BadLine, parse_line
from htmengine.errors import DependencyUnavailable, ExplainedError, MisuseError
from htmengine.messages import Backfill
from htmengine.repository import overview
from htmengine.repository.engine import reading
from htmengine.runtime.metric_storer import backfill
from htmengine.series.reader import SeriesReader
from htmengine.service.context import Context
from htmengine.service.lines import publish_lines

LINES_PER_MESSAGE: Final = 500
POLL_S: Final = 0.2
ALIVE_EVERY_S: Final = backfill.TIMEOUT_S / 4
TIMEOUT_S: Final = 60.0
"""How long nothing may move while `--wait` waits."""


class Request(NamedTuple):
    """What the user asked for; see the options of `htmengine.cli.replay.replay`."""

    file: Path
    metric: str
    timestamp: str | None
    value: str | None
    day_first: bool | None
    monitor: bool
    wait: bool
    data: Path | None
    config: Path | None


def run(request: Request) -> dict[str, Any]:
    """Carry out a request and return what became of it."""
    try:
        parse_line(f"{request.metric} 0 0")
    except BadLine as error:
        raise MisuseError(
            f"--metric {request.metric!r} cannot be a metric's name: {error}.",
            hint="A name has no blanks, such as web.requests.",
        ) from error
    with ExitStack() as stack:
        try:
            file = Path("/dev/stdin") if str(request.file) == "-" else request.file
            stream = stack.enter_context(file.open("rb"))
        except OSError as error:
            raise MisuseError(
                f"{request.file}: cannot be read: {error.strerror or error}.",
                hint="Give the path of a CSV file that you may read.",
            ) from error
        reader = SeriesReader(
            stream,
            str(request.file),
            timestamp=request.timestamp,
            value=request.value,
            day_first=request.day_first,
        )
        for note in reader.layout.notes:
            echo_stderr(note)
        context = stack.enter_context(installation(request.config, request.data))
        if request.monitor:
            from htmengine.cli import monitoring

            monitoring.ensure_monitored(context, [request.metric])
        # First: a queue that nobody takes from gets full, and then this waits.
        tell_if_nobody_takes(
            context, [context.settings.listener.queue], "metric_storer", "what is sent waits in the queue."
        )
        sent, last = _send(context, request.metric, reader, stream)
        result: dict[str, Any] = {
            "metric": request.metric,
            "sent": sent,
            "missing": reader.missing,
            "skipped": reader.bad.count,
        }
        for bad in reader.bad.first[:5]:
            echo_stderr(f"{request.file}: line {bad.line} is skipped: {bad.reason}")
        if request.wait and last is not None:
            result |= _wait(context, request.metric, last)
        return result


def _send(
    context: Context, metric: str, reader: SeriesReader, stream: io.BufferedReader
) -> tuple[int, int | None]:
    """Return the number of samples sent and the last one's second."""
    token = uuid.uuid4().hex
    sent, last = 0, None

    def publish(lines: list[str], *, done: bool = False) -> None:
        publish_lines(context, lines, backfill=Backfill(metric=metric, token=token, done=done))

    with progress_bar(stream, "Sending") as show:
        publish([])  # from here on live samples wait, even if the first rows take their time
        try:
            with _kept_alive(lambda: publish([])):
                for chunk in reader.chunks():
                    seconds = np.floor(chunk.timestamps).astype(np.int64).tolist()
                    lines = [
                        f"{metric} {value!r} {second}"
                        for second, value in zip(seconds, chunk.values.tolist(), strict=True)
                        if value == value
                    ]
                    for first in range(0, len(lines), LINES_PER_MESSAGE):
                        publish(lines[first : first + LINES_PER_MESSAGE])
                    sent += len(lines)
                    last = seconds[-1]
                    show(sent)
        finally:
            publish([], done=True)
    reader.require_rows(sent + reader.missing)
    return sent, last


@contextmanager
def _kept_alive(publish: Callable[[], None]) -> Iterator[None]:
    """Publish now and then, so that the backfill does not expire: what is read from a pipe may take its time."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(ALIVE_EVERY_S):
            with suppress(DependencyUnavailable):
                publish()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _wait(context: Context, metric: str, last: int) -> dict[str, Any]:
    """Wait until the metric's rows reach the second `last`, and their scores too if it is monitored.

    Raises ExplainedError when nothing has moved for a minute: no engine may be running.
    """
    before: tuple[int, int] | None = None
    moved = time.monotonic()
    while True:
        with reading(context.engine) as conn:
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
