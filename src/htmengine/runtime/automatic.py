"""Gives models to the metrics that rules say, a few at a time so that samples need not wait."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import Engine

from htmengine.bus import QueueFull
from htmengine.config import ConfigError, ModelName
from htmengine.errors import DependencyAway
from htmengine.exceptions import HTMEngineError
from htmengine.repository import metrics
from htmengine.repository.engine import reading
from htmengine.repository.metrics import MetricState
from htmengine.runtime import monitor_rules
from htmengine.runtime.monitor_rules import Limit, Quota, Rules

MODELS_AT_ONCE: Final = 50

log = logging.getLogger(__name__)


class Models(Protocol):
    """Starts models of custom metrics: the custom adapter."""

    def monitorMetric(self, modelSpec: Mapping[str, Any]) -> str:  # noqa: N802, N803
        """Give a metric a model."""
        ...

    def activateModel(self, metricId: str) -> None:  # noqa: N802, N803
        """Start the model of a metric that waited for data."""
        ...


class _Candidate(NamedTuple):
    uid: str
    name: str


class AutomaticMonitoring:
    """Applies a file of rules to new metrics, and to all when it starts and when the file changes.

    A metric whose model was deleted stays without one until somebody asks for it: the rules look only at metrics that
    never had one.

    Parameters
    ----------
    path : the file; None for no rules.
    models : for the name of a parameter set, None for the engine's, returns who starts models of it.
    """

    def __init__(
        self, path: Path | None, engine: Engine, models: Callable[[ModelName | None], Models]
    ) -> None:
        """Raises ConfigError for a file that cannot be used."""
        self._path = path
        self._engine = engine
        self._models = models
        self._changed_at = _changed_at(path)
        self._rules = monitor_rules.load(path) if path else Rules()
        self._candidates: deque[_Candidate] = deque()
        self._quota = Quota(self._rules, ())
        self._reached: set[Limit] = set()
        """Limits that were reached, to say so once."""
        self._all_unseen = bool(self._rules.rules)

    @property
    def waiting(self) -> bool:
        """Whether there is something to do."""
        return self._all_unseen or bool(self._candidates)

    def created(self, new: Iterable[MetricState]) -> None:
        """Name metrics that were created."""
        if self._rules.rules:
            self._candidates.extend(_Candidate(state.uid, state.name) for state in new)

    def look_at_all(self) -> None:
        """Look at all metrics with the next work: some may have been created unnoticed."""
        self._all_unseen = bool(self._rules.rules)

    def look_at_file(self) -> None:
        """Read the rules again if the file has changed; one with faults leaves the rules as they are."""
        changed_at = _changed_at(self._path)
        if self._path is None or changed_at == self._changed_at:
            return
        self._changed_at = changed_at
        try:
            self._rules = monitor_rules.load(self._path)
        except ConfigError as error:
            log.error("metric_storer.rules_not_used: the old ones stay: %s", error)
            return
        log.info("metric_storer.rules_read rules=%d", len(self._rules.rules))
        self.look_at_all()
        self._reached.clear()

    def work(self) -> list[str]:
        """Give models to some metrics and return their uids.

        Raises
        ------
        DependencyAway : nothing is forgotten; call again.
        """
        if self._all_unseen:
            self._see_all()
        monitored: list[str] = []
        while self._candidates and len(monitored) < MODELS_AT_ONCE:
            if self._monitor(self._candidates[0]):
                monitored.append(self._candidates[0].uid)
            self._candidates.popleft()
        return monitored

    def _see_all(self) -> None:
        with reading(self._engine) as conn:
            self._quota = Quota(self._rules, metrics.custom(conn))
        self._candidates.clear()
        self.created(self._quota.without)
        self._all_unseen = False

    def _monitor(self, candidate: _Candidate) -> bool:
        rule = self._rules.first(candidate.name)
        if rule is None or not rule.monitor:
            return False
        if limit := self._quota.reached(rule):
            if limit not in self._reached:
                log.warning(
                    "metric_storer.limit_reached section=%s limit=%d metric=%s", *limit, candidate.name
                )
                self._reached.add(limit)
            return False
        try:
            self._models(rule.model).monitorMetric(rule.specification(candidate.uid))
        except QueueFull:
            pass  # the repository knows of the model; the sweep says it again
        except DependencyAway:
            raise
        except (HTMEngineError, ValueError, TypeError) as error:
            # Somebody was faster, or it was deleted.
            log.warning("metric_storer.not_monitored metric=%s reason=%s", candidate.name, error)
            return False
        self._quota.count(rule)
        return True


def _changed_at(path: Path | None) -> int | None:
    try:
        return path.stat().st_mtime_ns if path else None
    except OSError:
        return None
