"""The way into the engine for an application's own collectors: samples of a metric of any datasource."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from htmengine.exceptions import (
    MetricStatisticsNotReadyError,
    MetricStatusChangedError,
)
from htmengine.htm.params import ROWS_FOR_RANGE
from htmengine.model_swapper.model_swapper_interface import ModelInputRow, ModelSwapperInterface
from htmengine.repository import metrics
from htmengine.repository.factory import retryOnTransientErrors
from htmengine.repository.metrics import MetricState
from htmengine.repository.queries.transactions import stored_time
from htmengine.repository.status import WITH_MODEL, MetricStatus
from htmengine.repository.times import from_epoch, to_epoch
from htmengine.runtime.metric_storer import numbering, stage
from htmengine.runtime.model_data_feeder import sendInputRowsToModel
from htmengine.service.installation import current

MODEL_CREATION_RECORD_THRESHOLD: Final = ROWS_FOR_RANGE
"""Rows after which a metric that waits for data gets its model."""

log = logging.getLogger(__name__)


class MetricStreamer:
    """Stores samples and passes them on to their model.

    Do not use it for a metric whose samples also come as lines: rows are numbered in the order in which they are stored.
    """

    def streamMetricData(
        self,
        data: Sequence[tuple[datetime, float]],
        metricID: str,
        modelSwapper: ModelSwapperInterface,
    ) -> None:
        """Store samples of a metric, and submit them if it has a model.

        As everywhere, a sample is refused unless its timestamp is later than the one before it. A metric in status
        ERROR keeps storing; a new model learns what it missed.

        Parameters
        ----------
        data : pairs (UTC time, value), oldest first.

        Raises
        ------
        ObjectNotFoundError : there is no such metric.
        ValueError : a value is not finite. Nothing was stored, as with the other.
        """
        if not data:
            log.warning("metric %s: no samples to stream", metricID)
            return
        if not all(math.isfinite(value) for _, value in data):
            raise ValueError(f"metric {metricID}: a value is not finite")
        state, rows = self._store(data, metricID)
        if refused := sum(rows.refused.values()):
            log.error("metric %s: %d samples were refused: %s", metricID, refused, dict(rows.refused))
        if not rows.rowids:
            return
        if state.status in WITH_MODEL:
            inputs = [
                ModelInputRow(rowid, (from_epoch(timestamp), value))
                for rowid, timestamp, value in zip(rows.rowids, rows.timestamps, rows.values, strict=True)
            ]
            settings = current().settings
            sendInputRowsToModel(
                metricID, inputs, settings.scheduler.chunk_size, modelSwapper, log, settings.profiling
            )
        elif state.status == MetricStatus.PENDING_DATA and rows.rowids[-1] >= MODEL_CREATION_RECORD_THRESHOLD:
            self._activate(state)

    @retryOnTransientErrors
    def _store(
        self, data: Sequence[tuple[datetime, float]], uid: str
    ) -> tuple[MetricState, numbering.NumberedRows]:
        with current().database.write() as conn:
            state = metrics.state(conn, uid)
            columns = numbering.NewSamples(
                [state.name] * len(data),
                [to_epoch(stored_time(time)) for time, _ in data],
                [float(value) for _, value in data],
            )
            rows = numbering.number(columns, {state.name: state})
            stage.insert(conn, rows)
        return state, rows

    def _activate(self, state: MetricState) -> None:
        from htmengine.adapters.datasource import createDatasourceAdapter

        try:
            createDatasourceAdapter(state.datasource).activateModel(state.uid)
        except (MetricStatisticsNotReadyError, MetricStatusChangedError) as error:
            log.info("metric %s: not activated: %s", state.uid, error)
