"""`htmengine detect --serve`: the page of the engine over scored series, in a repository that lives as long as it is served."""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from htmengine import config, messages
from htmengine.admin.explaining import CannotExplain, Explained
from htmengine.admin.health import Health, MetricCounts, health_of
from htmengine.cli.terminal import echo_stderr
from htmengine.detection.result import Choice
from htmengine.detection.scored import ScoredSeries
from htmengine.detection.scoring import Explainer
from htmengine.htm.arrays import FloatArray
from htmengine.htm.explanation import Explanation, SeriesScores
from htmengine.incidents.writer import Writer
from htmengine.model_swapper.score_batch import why_of
from htmengine.repository import alarms, metrics, samples, scores
from htmengine.repository.metrics import MAX_NAME
from htmengine.repository.samples import Advance
from htmengine.repository.scores import WatermarkAdvance
from htmengine.repository.status import MetricStatus
from htmengine.runtime.anomaly_service.alarms import new_alarms
from htmengine.runtime.anomaly_service.hourly_sums import HourlySums
from htmengine.runtime.anomaly_service.stage import store_scores
from htmengine.service import program
from htmengine.service.context import Context, opened
from htmengine.system import private
from htmengine.web import server
from htmengine.web.access import Access
from htmengine.web.site import Site
from htmengine.web.static import Page

ROWS_BATCH_SIZE: Final = 5000


@private.umask()
def serve(series: Sequence[ScoredSeries], choice: Choice, port: int = 0) -> None:
    """Serve the page over these series on this machine until Ctrl-C; port 0 takes a free one.

    Raises
    ------
    HttpPortError : the port cannot be opened.
    """
    program.configure_logging(logging.WARNING)
    stop = threading.Event()
    with tempfile.TemporaryDirectory(prefix="htmengine-detect-") as folder:
        settings = config.embedded(Path(folder))
        with server.listening(settings.http.host, port) as bound:
            http = msgspec.structs.replace(settings.http, port=bound.getsockname()[1])
            settings = msgspec.structs.replace(settings, http=http)
            with program.stopping_on_signals(stop), opened(settings, stop=stop) as context:
                records = [_store(context, one, choice) for one in series]
                uids = [record.uid for record in records]
                _summarise(context)
                last = max(float(one.series.timestamps[-1]) for one in series)
                shown = f"m/{uids[0]}?w=all" if len(uids) == 1 else f"?w=7d&at={last:.0f}"
                site = Site(
                    context,
                    Access(http, context.database),
                    Page(),
                    clock=lambda: last,  # nothing of the past is silent
                    look=_at_rest,
                    explain=_Explaining(records),
                    record=", ".join(one.name for one in series),
                )
                with ThreadPoolExecutor(1) as thread:  # in the main one the server would take the signals
                    ready = partial(
                        echo_stderr,
                        f"Open {server.address(http)}{shown} to look at it. Ctrl-C ends it; nothing is kept.",
                    )
                    thread.submit(server.serve, context, bound, ready, site=site).result()


def _at_rest(context: Context, counts: MetricCounts | None) -> Health:
    """Return what an installation is like of which nothing is expected: no service is missing."""
    health = health_of(context, counts)
    services = [service._replace(alive=True) for service in health.services]
    return health._replace(services=services, findings=[])


class _Record(NamedTuple):
    """A series as a metric."""

    uid: str
    scored: ScoredSeries
    rows: npt.NDArray[np.intp]
    """The series' rows that have a value; the metric's rows are these, counted from 1."""
    explain: Explainer


class _Explaining:
    """Explains rows of the metrics as their series' models did."""

    def __init__(self, records: Sequence[_Record]) -> None:
        self._records = {record.uid: record for record in records}
        self._lock = threading.Lock()

    def __call__(self, _context: Context, uid: str, rowid: int) -> Explained:
        record = self._records[uid]
        if not 0 < rowid <= len(record.rows):
            raise CannotExplain(f"There is no row {rowid}.", hint=f"Name one of 1 to {len(record.rows)}.")
        row = int(record.rows[rowid - 1])
        with self._lock:  # one at a time: each takes all of a core
            explanation = record.scored.why.get(row) or record.explain(row)
        if explanation is None:
            raise CannotExplain(
                "Models of this parameter set do not explain their scores.",
                hint="Those of the set default do.",
            )
        series = record.scored.series
        return Explained(rowid, int(series.timestamps[row]), float(series.values[row]), explanation)


def _store(context: Context, scored: ScoredSeries, choice: Choice) -> _Record:
    """Write a series as a metric with its scores and alarms, as the services would."""
    name = scored.name[:MAX_NAME] or "value"
    timestamps, values = scored.series.timestamps, scored.series.values
    columns = scored.scores
    rows = np.flatnonzero(~np.isnan(values))
    seconds = np.floor(timestamps[rows]).astype(np.int64)
    with context.database.write() as conn:
        uid = metrics.create_custom(conn, [name])[name]
        metrics.set_status(conn, uid, MetricStatus.ACTIVE)
    for first in range(0, len(rows), ROWS_BATCH_SIZE):
        part = slice(first, first + ROWS_BATCH_SIZE)
        batch = _message(uid, first, seconds[part], values, rows[part], columns, scored.why)
        last = batch.rowids[-1]
        with context.database.write() as conn:
            samples.advance_last(conn, [Advance(uid, first, last, batch.timestamps[-1])])
            scores.advance_watermarks(conn, [WatermarkAdvance(uid, 0, first, last)])
            samples.append(conn, batch.uids, batch.rowids, batch.timestamps, batch.values)
            store_scores(conn, batch)
            alarms.store(conn, new_alarms(batch))
    return _Record(uid, scored, rows, Explainer(scored.series, choice))


def _message(
    uid: str,
    first: int,
    seconds: np.ndarray,
    values: FloatArray,
    rows: np.ndarray,
    columns: SeriesScores,
    why: dict[int, Explanation],
) -> messages.Scores:
    chosen = SeriesScores(*(column[rows] for column in columns))
    count = len(rows)
    return messages.Scores(
        uids=[uid] * count,
        generations=[0] * count,
        rowids=list(range(first + 1, first + count + 1)),
        timestamps=seconds.tolist(),
        values=values[rows].tolist(),
        raw_anomaly_scores=chosen.raw_anomaly_score.tolist(),
        anomaly_scores=chosen.anomaly_score.tolist(),
        log_scores=chosen.log_score.tolist(),
        sequence_scores=chosen.sequence_score.tolist(),
        novelty_scores=chosen.novelty_score.tolist(),
        forecasts=chosen.forecast.tolist(),
        usual_lows=chosen.usual_low.tolist(),
        usual_highs=chosen.usual_high.tolist(),
        one_in=chosen.one_in.tolist(),
        why=[why_of(why.get(int(row))) for row in rows],
    )


def _summarise(context: Context) -> None:
    """Sum up the hours and put the alarms into incidents, as the services do beside their work."""
    hourly_sums = HourlySums(context.database)
    while hourly_sums.advance():
        pass
    incidents = Writer(context.database)
    while incidents.work():
        pass
