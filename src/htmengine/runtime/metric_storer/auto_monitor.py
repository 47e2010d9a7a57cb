"""Gives models to the metrics that the rules choose, some at a time so that samples need not wait."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from htmengine.config import ModelName
from htmengine.errors import DependencyUnavailable
from htmengine.exceptions import HTMEngineError, MetricAlreadyMonitored
from htmengine.repository import metrics
from htmengine.repository.database import Database
from htmengine.repository.metrics import MetricState
from htmengine.runtime.metric_storer.monitor_rules import Limit, Quota, Rule, Rules, RulesFile

MODELS_BATCH_SIZE: Final = 200

log = logging.getLogger(__name__)


class Models(Protocol):
    """Starts models of custom metrics: the custom adapter."""

    def monitorMetrics(self, modelSpecs: Sequence[Mapping[str, Any]]) -> list[str]:  # noqa: N802, N803
        """Give metrics a model each, all or none, and return their uids."""
        ...

    def activateModel(self, metricId: str) -> None:  # noqa: N802, N803
        """Start the model of a metric that waited for data."""
        ...


class _Candidate(NamedTuple):
    uid: str
    name: str


class _Some(NamedTuple):
    """Candidates that were taken together."""

    looked_at: list[_Candidate]
    chosen: list[_Candidate]
    """Those among them that get a model, and by which rule each."""
    rules: list[Rule]


class AutoMonitor:
    """Applies a file of rules to new metrics, and to all when it starts and when the file changes.

    A metric whose model was deleted stays without one until somebody asks for it: the rules look only at metrics that
    never had one.

    Parameters
    ----------
    file : the rules.
    models : for the name of a parameter set, None for the engine's, returns who starts models of it.
    """

    def __init__(
        self, file: RulesFile, database: Database, models: Callable[[ModelName | None], Models]
    ) -> None:
        self._file = file
        self._database = database
        self._models = models
        self._candidates: deque[_Candidate] = deque()
        self._quota = Quota(self.rules, ())
        self._reached: set[Limit] = set()
        """Limits that were reached, to say so once."""
        self._all_unseen = bool(self.rules.rules)
        self._made = False
        """Whether models were made since they were counted."""

    @property
    def rules(self) -> Rules:
        """The rules that hold now."""
        return self._file.rules

    @property
    def waiting(self) -> bool:
        """Whether there is something to do."""
        return self._all_unseen or bool(self._candidates)

    def created(self, new: Iterable[MetricState]) -> None:
        """Name metrics that were created."""
        if self.rules.rules:
            self._candidates.extend(_Candidate(state.uid, state.name) for state in new)

    def look_at_all(self) -> None:
        """Look at all metrics with the next work: some may have been created unnoticed."""
        self._all_unseen = bool(self.rules.rules)

    def look_at_file(self) -> None:
        """Read the rules again if the file has changed; one with faults leaves the rules as they are."""
        if not self._file.has_changed():
            return
        self.look_at_all()
        self._reached.clear()

    def count_again(self) -> None:
        """Count the models with the next work, where there are limits and this one made some: others make some, too."""
        if self._made and any(limit is not None for limit in self.rules.limits):
            self.look_at_all()

    def work(self, most: int = MODELS_BATCH_SIZE, own: Container[str] | None = None) -> list[str]:
        """Give models to some metrics, at most so many, and return their uids.

        `own`: the names of which one looks at the metrics, where others look at the rest.

        Raises
        ------
        DependencyUnavailable : nothing is forgotten; call again.
        """
        if self._all_unseen:
            self._see_all(own)
        some = self._choose(most)
        try:
            return self._monitor(some)
        except (HTMEngineError, ValueError, TypeError):
            # One of them cannot have a model: the others are tried one by one.
            self._put_back(some)
        left = len(self._candidates) - len(some.looked_at)
        monitored: list[str] = []
        while len(self._candidates) > left:
            one = self._choose(1)
            try:
                monitored += self._monitor(one)
            except (HTMEngineError, ValueError, TypeError) as error:
                # Somebody was faster, so that there is a model and it counts; or the metric was deleted.
                if not isinstance(error, MetricAlreadyMonitored):
                    self._quota.give_back(one.rules[0])
                log.warning("metric_storer.not_monitored metric=%s reason=%s", one.chosen[0].name, error)
        return monitored

    def _see_all(self, own: Container[str] | None) -> None:
        with self._database.read() as conn:
            self._quota = Quota(self.rules, metrics.custom(conn))
        self._candidates.clear()
        self.created(state for state in self._quota.without if own is None or state.name in own)
        self._all_unseen = self._made = False

    def _choose(self, most: int) -> _Some:
        """Take candidates of which up to `most` get a model, all of the same set, within the limits."""
        some = _Some([], [], [])
        while self._candidates and len(some.chosen) < most:
            candidate = self._candidates[0]
            rule = self.rules.first(candidate.name)
            if rule is not None and rule.monitor:
                if limit := self._quota.reached(rule):
                    self._say(limit, candidate)
                elif some.rules and rule.model != some.rules[0].model:
                    break
                else:
                    self._quota.count(rule)
                    some.chosen.append(candidate)
                    some.rules.append(rule)
            some.looked_at.append(self._candidates.popleft())
        return some

    def _say(self, limit: Limit, candidate: _Candidate) -> None:
        if limit not in self._reached:
            log.warning("metric_storer.limit_reached section=%s limit=%d metric=%s", *limit, candidate.name)
            self._reached.add(limit)

    def _put_back(self, some: _Some) -> None:
        self._candidates.extendleft(reversed(some.looked_at))
        for rule in some.rules:
            self._quota.give_back(rule)

    def _monitor(self, some: _Some) -> list[str]:
        if not some.chosen:
            return []
        specs = [
            rule.specification(candidate.uid) for candidate, rule in zip(some.chosen, some.rules, strict=True)
        ]
        self._made = True
        try:
            return self._models(some.rules[0].model).monitorMetrics(specs)
        except DependencyUnavailable:
            self._put_back(some)
            raise
