"""The adapter of custom metrics: those whose samples come as lines, under a name of the sender's choice.

A change is committed to the repository first; then the command goes to the scheduler. If the bus is unavailable, or the
process dies in between, only the command is lost: the sweep repeats the definition of every model that is not
confirmed, and the scheduler drops the checkpoints of generations that have ended.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

from htmengine.adapters.datasource import imports, model_choice, model_spec
from htmengine.adapters.datasource.interface import DatasourceAdapterIface
from htmengine.adapters.datasource.model_spec import ModelSpec
from htmengine.bus import BusUnavailable, Outgoing, QueueFull
from htmengine.exceptions import (
    MetricAlreadyExists,
    MetricAlreadyMonitored,
    MetricNotMonitoredError,
    MetricStatisticsNotReadyError,
    MetricStatusChangedError,
    ObjectNotFoundError,
)
from htmengine.htm.params import ROWS_FOR_RANGE
from htmengine.messages import DeleteModel
from htmengine.model_swapper.model_input import ModelInputBuilder, requests
from htmengine.repository import metrics, samples
from htmengine.repository.metrics import CUSTOM, MetricState, NewModel
from htmengine.repository.retrying import again_if_rolled_back
from htmengine.repository.status import MetricStatus
from htmengine.repository.times import from_epoch

if TYPE_CHECKING:
    from sqlalchemy import Connection

EXPORTED_DAYS: Final = 14.0
"""History in an export unless another is asked for, as documented."""
ROWS_BATCH_SIZE: Final = 5000

log = logging.getLogger(__name__)


@DatasourceAdapterIface.registerDatasourceAdapter
class CustomAdapter(DatasourceAdapterIface):
    """Creates, monitors and deletes custom metrics. Safe to use from several threads.

    All methods raise RepositoryUnavailable while the database is unavailable; nothing is changed then. A transaction that
    the database rolls back because of another one, as in a deadlock, is repeated.
    """

    _DATASOURCE: ClassVar[str] = CUSTOM

    @again_if_rolled_back
    def createMetric(self, metricName: str) -> str:  # noqa: N802, N803
        """Create a metric without a model and return its uid.

        Raises
        ------
        MetricAlreadyExists : there is one of this name; `uid` says which.
        ValueError : no metric can have this name.
        """
        model_spec.check_name(metricName)
        with self._database.read() as conn:
            known = metrics.states_by_name(conn, [metricName])
        if known:
            found = known[metricName].uid
            raise MetricAlreadyExists(f"there is a metric {metricName} already: {found}", uid=found)
        with self._database.write() as conn:
            return metrics.create_custom(conn, [metricName])[metricName]

    @again_if_rolled_back
    def deleteMetricByName(self, metricName: str) -> None:  # noqa: N802, N803
        """Delete a metric with its samples, and its model if it has one. Raises ObjectNotFoundError."""
        with self._database.read() as conn:
            known = metrics.states_by_name(conn, [metricName])
        if not known:
            raise ObjectNotFoundError(f"there is no custom metric {metricName}")
        uid = known[metricName].uid
        self._end_model(uid)
        more = True
        while more:
            with self._database.write() as conn:
                more = metrics.delete_metric(conn, uid)

    def monitorMetric(self, modelSpec: Mapping[str, Any]) -> str:  # noqa: N802, N803
        """Give a metric a model and return the metric's uid, which is the model's id too.

        Parameters
        ----------
        modelSpec : names the metric, which is created where there is none of this name, and says what is known of its
            model; docs/reference/monitoring.md tells which model that makes.

        Raises
        ------
        ValueError : the specification cannot be used; nothing was created.
        ObjectNotFoundError : no metric has the given uid.
        TypeError : the metric is of another datasource.
        MetricAlreadyMonitored : it has a model, or one that failed; `uid` says which metric.
        """
        (uid,) = self.monitorMetrics([modelSpec])
        return uid

    @again_if_rolled_back
    def monitorMetrics(self, modelSpecs: Sequence[Mapping[str, Any]]) -> list[str]:  # noqa: N802, N803
        """Give several metrics a model each, all of them or none, and return their uids: `monitorMetric` for a fleet.

        Raises
        ------
        As `monitorMetric`, for the first that cannot be monitored; no two specifications may name the same metric.
        """
        specs = [model_spec.parse(one) for one in modelSpecs]
        with self._database.write() as conn:
            states = self._states_for(conn, specs)
            for state in states:
                if state.status != MetricStatus.UNMONITORED:
                    raise MetricAlreadyMonitored(
                        f"the metric {state.name} is monitored already: {state.uid}", uid=state.uid
                    )
            models = [
                self._model(
                    conn,
                    state,
                    spec,
                    _as_stored(one, state.name),
                    wait=state.last_rowid < ROWS_FOR_RANGE,
                )
                for state, spec, one in zip(states, specs, modelSpecs, strict=True)
            ]
            metrics.start_models(conn, models)
        uids = [state.uid for state in states]
        self._announce(uids)
        return uids

    @again_if_rolled_back
    def activateModel(self, metricId: str) -> None:  # noqa: N802, N803
        """Start the model of a metric that waits for data, with the range of the rows that there are.

        Nothing happens where the model was started already.

        Raises
        ------
        ObjectNotFoundError, TypeError : no such custom metric.
        MetricNotMonitoredError : it is not to have a model.
        MetricStatisticsNotReadyError : it has no rows.
        MetricStatusChangedError : its model has failed, or its status was changed at the same time.
        """
        with self._database.write() as conn:
            state = _custom(conn, metricId)
            if state.status in (MetricStatus.ACTIVE, MetricStatus.CREATE_PENDING):
                return
            if state.status == MetricStatus.UNMONITORED:
                _not_monitored(state)
            if state.status != MetricStatus.PENDING_DATA:
                raise MetricStatusChangedError(f"the metric {state.name} does not wait for data")
            stored = _stored_spec(conn, state)
            model = self._model(conn, state, model_spec.parse(stored), json.dumps(stored), wait=False)
            metrics.start_models(conn, [model])
        self._announce([metricId])

    @again_if_rolled_back
    def unmonitorMetric(self, metricId: str) -> None:  # noqa: N802, N803
        """Delete a metric's model and its scores; the samples stay. Raises ObjectNotFoundError."""
        self._end_model(metricId)
        more = True
        while more:
            with self._database.write() as conn:
                more = metrics.clear_scores(conn, metricId, limit=ROWS_BATCH_SIZE)

    def exportModel(  # noqa: N802
        self,
        metricId: str,  # noqa: N803
        *,
        days: float | None = EXPORTED_DAYS,
    ) -> dict[str, Any]:
        """Return a monitored metric's specification and samples, for `importModel`.

        Parameters
        ----------
        days : how far back the samples reach; None for all that are stored.

        Returns
        -------
        The specification that was given to `monitorMetric`, and `data`: pairs [value, naive UTC datetime], in order.

        Raises
        ------
        ObjectNotFoundError, TypeError : no such custom metric.
        MetricNotMonitoredError : it has no model.
        """
        since = None if days is None else time.time() - days * 86400
        data: list[list[Any]] = []
        left_out = 0
        with self._database.read() as conn:
            state = _custom(conn, metricId)
            spec = _stored_spec(conn, state)
            rowid = 0
            while rowid < state.last_rowid:
                rows = samples.read(conn, metricId, rowid + 1, state.last_rowid, ROWS_BATCH_SIZE)
                if not rows.rowids:
                    break
                rowid = rows.rowids[-1]
                for timestamp, value in zip(rows.timestamps, rows.values, strict=True):
                    if since is not None and timestamp < since:
                        left_out += 1
                    else:
                        data.append([value, from_epoch(timestamp)])
        if left_out:
            log.warning("adapter.export_truncated metric=%s left_out=%d days=%s", state.name, left_out, days)
        return {**spec, "data": data}

    @again_if_rolled_back
    def importModel(self, spec: Mapping[str, Any]) -> str:  # noqa: N802
        """Create and monitor what `exportModel` returned, and return the metric's uid.

        A metric that is monitored already is left as it is. The samples are stored where the metric has none yet; they
        follow the rule of all samples: what is not later than the sample before it is refused.

        Parameters
        ----------
        spec : also as it comes back from JSON, with timestamps as text in ISO 8601 or as seconds since the epoch.

        Raises
        ------
        As `monitorMetric`; ValueError also for `data` that are not samples, before anything is created.
        """
        described = {key: value for key, value in spec.items() if key != "data"}
        parsed = model_spec.parse(described)
        latest = time.time() + self._settings.storer.max_future_s
        rows, refused = imports.rows(spec.get("data") or (), latest=latest)
        with self._database.write() as conn:
            (state,) = self._states_for(conn, [parsed])
            if state.status != MetricStatus.UNMONITORED:
                return state.uid
            if state.last_rowid == 0 and rows.rowids:
                advance = samples.Advance(
                    state.uid, 0, rows.rowids[-1], rows.timestamps[-1], rows.digests[-1]
                )
                if not samples.advance_last(conn, [advance]):
                    raise MetricStatusChangedError(f"the metric {state.name} got samples at the same time")
                samples.append(conn, [state.uid] * len(rows.rowids), *rows)
        if refused:
            log.warning("adapter.import_refused metric=%s samples=%d", state.name, refused)
        try:
            return self.monitorMetric(described)
        except MetricAlreadyMonitored as error:
            return error.uid

    def getMatchingResources(self, aggSpec: Mapping[str, Any]) -> NoReturn:  # noqa: N802, N803
        """Raise NotImplementedError: custom metrics are not aggregated."""
        raise NotImplementedError("custom metrics are not aggregated")

    def getInstanceNameForModelSpec(self, spec: Mapping[str, Any]) -> str | None:  # noqa: N802
        """Return the resource that a specification names, None where it names none."""
        resource: str | None = spec["metricSpec"].get("resource")
        return resource

    def _states_for(self, conn: Connection, specs: Sequence[ModelSpec]) -> list[MetricState]:
        """Return the metrics that specifications name, created if need be."""
        named = [spec.metric_spec for spec in specs]
        by_uid = metrics.states(conn, [one.uid for one in named if one.uid is not None])
        names = [one.metric or "" for one in named if one.uid is None]
        by_name = metrics.states_by_name(conn, names)
        if new := [name for name in names if name not in by_name]:
            metrics.create_custom(conn, new)
            by_name |= metrics.states_by_name(conn, new)
        return [
            by_name[one.metric or ""] if one.uid is None else _checked(by_uid.get(one.uid), one.uid)
            for one in named
        ]

    def _model(
        self, conn: Connection, state: MetricState, spec: ModelSpec, stored: str, *, wait: bool
    ) -> NewModel:
        """Return the model that a metric gets; with `wait` it waits for rows where it needs them to know its range."""
        scheduler, likelihood = self._settings.scheduler, self._settings.likelihood
        observed, model_params = None, None
        if model_choice.needs_rows(spec, scheduler.model) and not wait:
            observed = samples.value_range(conn, state.uid)
            if observed is None:
                raise MetricStatisticsNotReadyError(
                    f"the metric {state.name} has no rows to take a range from"
                )
        if observed or not model_choice.needs_rows(spec, scheduler.model):
            chosen = model_choice.choose(spec, scheduler.model, likelihood, observed=observed)
            model_params = model_choice.render(chosen, spec)
        return NewModel(
            state.uid,
            parameters=stored,
            model_params=model_params,
            status=MetricStatus.PENDING_DATA if model_params is None else MetricStatus.CREATE_PENDING,
            server=spec.metric_spec.resource,
        )

    def _announce(self, uids: Sequence[str]) -> None:
        """Ask the scheduler for models that were started."""
        if self._bus is None:
            return
        with self._database.read() as conn:
            # One that waits for data is not asked for.
            states = metrics.states(conn, uids).values()
            asked = requests(conn, states, self._shards, self._settings.model_input_queue)
        self._publish(asked)

    def _end_model(self, uid: str) -> None:
        with self._database.write() as conn:
            generation = metrics.end_model(conn, uid) - 1
        builder = ModelInputBuilder(self._shards, self._settings.model_input_queue)
        builder.command(DeleteModel(command_id=uuid.uuid4().hex, uid=uid, generation=generation))
        self._publish(builder.messages())

    def _publish(self, messages: Sequence[Outgoing]) -> None:
        if self._bus is None:
            return
        try:
            self._bus.publish(messages)
        except (BusUnavailable, QueueFull) as error:
            # The repository has what was asked for; the sweep sends the command again.
            log.warning("adapter.commands_lost messages=%d reason=%s", len(messages), error)


def _custom(conn: Connection, uid: str) -> MetricState:
    """Return a custom metric's state. Raises ObjectNotFoundError, TypeError."""
    return _checked(metrics.states(conn, [uid]).get(uid), uid)


def _checked(state: MetricState | None, uid: str) -> MetricState:
    """Return the state of a custom metric. Raises ObjectNotFoundError, TypeError."""
    if state is None:
        raise metrics.not_found(uid)
    if state.datasource != CUSTOM:
        raise TypeError(f"the metric {state.name} is of the datasource {state.datasource}, not {CUSTOM}")
    return state


def _stored_spec(conn: Connection, state: MetricState) -> dict[str, Any]:
    """Return what `monitorMetric` was given. Raises MetricNotMonitoredError."""
    parameters = metrics.descriptions(conn, [state.uid])[state.uid].parameters
    if parameters is None:
        _not_monitored(state)
    spec: dict[str, Any] = json.loads(parameters)
    return spec


def _not_monitored(state: MetricState) -> NoReturn:
    raise MetricNotMonitoredError(f"the metric {state.name} is not monitored; monitorMetric gives it a model")


def _as_stored(spec: Mapping[str, Any], name: str) -> str:
    """Return a specification as JSON that names its metric by name."""
    metric = {key: value for key, value in spec["metricSpec"].items() if key != "uid"} | {"metric": name}
    return json.dumps({**spec, "metricSpec": metric})
