"""Back-tests: what other settings would have found and told in a time that has passed, side by side.

A variant takes the alarms that were stored, or lets new models of a parameter set take the stored rows again, from the first
that there is, so that they have learned when the time begins. Alarms are put together to incidents and rules tell of these as
a running engine does it. Nothing is stored or sent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import numpy as np

from htmengine.alerts import budget, configuration
from htmengine.alerts.history import PastIncident, past_incidents
from htmengine.alerts.preview import preview_of
from htmengine.alerts.rules import MIN_SCORE, AlarmFacts, Rules, default_rule
from htmengine.errors import MisuseError
from htmengine.htm import params
from htmengine.htm.model import Model, OutOfOrderSample
from htmengine.incidents import labels as stored_labels
from htmengine.incidents.changes import monitored_names
from htmengine.incidents.grouping import Alarm, group
from htmengine.incidents.ids import number_of
from htmengine.incidents.names import Fleet
from htmengine.labels.files import Label
from htmengine.model_swapper.score_batch import why_of
from htmengine.repository import overview, samples
from htmengine.repository.database import Database
from htmengine.repository.overview import MetricOverview
from htmengine.runtime.anomaly_service.alarms import direction_of
from htmengine.runtime.metric_storer import name_patterns

ROWS_BATCH_SIZE: Final = 20_000
DAY_S: Final = 86_400.0
WEEK_S: Final = 7 * DAY_S
SEED: Final = 1
AS_IT_WAS: Final = "as it was"


class Variant(NamedTuple):
    """What is tried."""

    name: str
    model: str | None
    """A parameter set of `htmengine.htm.params`; None: the alarms that were stored."""
    rules: Rules


def rules_in_use(path: Path | None) -> Rules:
    """Return the rules of alerts.toml; where it has none, what holds for whoever is told. Raises ConfigError."""
    found = configuration.current(path)
    configuration.close(found)
    return found.rules if found.rules.rules else Rules((default_rule(["people"]),))


def variants_of(models: Iterable[str], rules: Mapping[str, Rules]) -> list[Variant]:
    """Return a variant of each model with each of the rules; before them those with the alarms that were stored.

    Parameters
    ----------
    rules : by what tells them apart; a name may be empty.
    """
    return [
        Variant(", ".join(filter(None, (model or AS_IT_WAS, name))), model, own)
        for model in (None, *dict.fromkeys(models))
        for name, own in rules.items()
    ]


class Outcome(NamedTuple):
    """What a variant would have found and told."""

    variant: str
    metrics: int
    alarms: int
    """Rows that alarm."""
    incidents: int
    """Lone alarms among them."""
    notices: int
    """Incidents that the rules tell of."""
    notices_a_week: float
    labels: int
    """Anomalies that people have marked in this time, of these metrics."""
    alarmed: int
    """Of these, how many have an alarm in them."""
    found: int
    """Of these, how many have one that is told of."""
    recall: float | None
    """Share of the labels that were found; None without labels."""
    precision: float | None
    """Share of what is told that has an alarm within a label; None without labels, or where nothing is told."""
    delay_s: float | None
    """Median time from the beginning of a label that was found to the first such alarm."""


def backtest(
    database: Database,
    variants: Sequence[Variant],
    since: float,
    until: float,
    *,
    fits: Callable[[str], object] = bool,
    labels: Iterable[Label] | None = None,
    show: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Outcome]:
    """Return the outcome of each variant, in their order.

    Parameters
    ----------
    since, until : the time that is looked at, in seconds since the epoch.
    fits : tells by its name whether a metric is looked at.
    labels : what people say of metrics, those of other times or metrics do not count; None: what is stored.
    show : told how many rows have been scored, and of how many; what it raises ends the test.

    Raises
    ------
    MisuseError : no metric fits, or a variant asks for a parameter set that there is not.
    """
    for variant in variants:
        if variant.model is not None and variant.model not in params.NAMES:
            raise MisuseError(f"{variant.model} is no model.", hint=f"There are {', '.join(params.NAMES)}.")
    with database.read() as conn:
        chosen = [one for one in overview.metrics(conn) if one.monitored and fits(one.name)]
        fleet = Fleet(monitored_names(conn))
    if not chosen:
        raise MisuseError("No monitored metric fits.", hint="`htmengine metrics` lists those that there are.")
    if labels is None:
        with database.read() as conn:
            names = {one.uid: one.name for one in chosen}
            stored = stored_labels.labels(conn, now=until, kind="anomaly", since=since, until=until)
            labels = [stored_labels.in_file(label, names) for label in stored]
    of_label = _by_metric(labels, chosen, since, until)
    models = list(dict.fromkeys(variant.model for variant in variants))
    scored = [model for model in models if model is not None]
    total = len(scored) * sum(one.last_rowid for one in chosen)
    done = 0

    def advance(rows: int) -> None:
        nonlocal done
        done += rows
        show(done, total)

    past: dict[str | None, list[PastIncident]] = {}
    for model in models:
        if model is None:
            past[None] = _stored(database, chosen, since, until)
        else:
            past[model] = _incidents(_Scoring(database, model, since, until, advance).alarms(chosen), fleet)
    return [
        _outcome(variant, past[variant.model], len(chosen), since, until, of_label) for variant in variants
    ]


def document(outcomes: Sequence[Outcome], since: float, until: float) -> dict[str, Any]:
    """Return outcomes as commands and the API show them."""
    return {"since": since, "until": until, "variants": [outcome._asdict() for outcome in outcomes]}


class _Found(NamedTuple):
    """An alarm, as grouping and rules look at it."""

    alarm: Alarm
    facts: AlarmFacts


class _Scoring:
    """New models of a parameter set take the rows of metrics."""

    def __init__(
        self, database: Database, model: str, since: float, until: float, advance: Callable[[int], None]
    ) -> None:
        self._database = database
        self._model = model
        self._since = since
        self._until = until
        self._advance = advance

    def alarms(self, chosen: Sequence[MetricOverview]) -> list[_Found]:
        """Return the alarms of metrics within the time."""
        return [alarm for one in chosen for alarm in self._of(one)]

    def _of(self, metric: MetricOverview) -> Iterable[_Found]:
        model: Model | None = None
        first = 1
        while first <= metric.last_rowid:
            with self._database.read() as conn:
                rows = samples.read(conn, metric.uid, first, metric.last_rowid, ROWS_BATCH_SIZE)
            if not rows.rowids:
                break
            self._advance(rows.rowids[-1] + 1 - first)
            first = rows.rowids[-1] + 1
            times, values = np.array(rows.timestamps, dtype=np.float64), np.array(rows.values) + 0.0
            model = model or self._new(values)
            if model is None:
                break
            before = int(np.searchsorted(times, self._until))
            try:
                scores, why = model.score_and_explain(times[:before], values[:before])
            except OutOfOrderSample:
                break  # `htmengine verify` says so
            interval = max(1.0, float(np.median(np.diff(times)))) if len(times) > 1 else 60.0
            for place in np.flatnonzero(scores.log_score >= MIN_SCORE).tolist():
                if times[place] < self._since:
                    continue
                value, forecast = float(values[place]), float(scores.forecast[place])
                cause = why_of(why.get(place))
                yield _Found(
                    Alarm(
                        metric.uid,
                        rows.rowids[place],
                        metric.name,
                        int(times[place]),
                        interval,
                        float(np.nan_to_num(scores.one_in[place])),
                    ),
                    AlarmFacts(
                        metric.uid,
                        metric.name,
                        int(times[place]),
                        float(scores.log_score[place]),
                        value,
                        forecast if isfinite(forecast) else None,
                        cause.cause if cause else None,
                        direction_of(cause, value, forecast),
                    ),
                )
            if before < len(times):
                self._advance(metric.last_rowid + 1 - first)
                break

    def _new(self, values: np.typing.NDArray[np.float64]) -> Model | None:
        low = high = None
        if self._model != "default":
            usable = values[~np.isnan(values)][: params.ROWS_FOR_RANGE]
            if not usable.size:
                return None
            low, high = params.infer_range(usable)
        return Model(params.parameter_set(self._model, minimum=low, maximum=high, seed=SEED))


def _incidents(found: Sequence[_Found], fleet: Fleet) -> list[PastIncident]:
    facts = {(one.alarm.uid, one.alarm.rowid): one.facts for one in found}
    return [
        _incident(number, own[0].timestamp, own[-1].timestamp, [facts[one.uid, one.rowid] for one in own])
        for number, own in enumerate(group([one.alarm for one in found], fleet), start=1)
    ]


def _stored(
    database: Database, chosen: Sequence[MetricOverview], since: float, until: float
) -> list[PastIncident]:
    """Return the incidents that there were, with the alarms of these metrics alone."""
    uids = {one.uid for one in chosen}
    found = []
    with database.read() as conn:
        for incident in past_incidents(conn, since, until):
            own = [alarm for alarm in incident.alarms if alarm.uid in uids]
            if own:
                found.append(_incident(incident.number, own[0].time, own[-1].time, own))
    return found


def _incident(number: int, opened: int, changed: int, alarms: list[AlarmFacts]) -> PastIncident:
    metrics = len({alarm.uid for alarm in alarms})
    return PastIncident(number, opened, changed, changed, metrics, len(alarms), alarms)


def _outcome(
    variant: Variant,
    past: Sequence[PastIncident],
    metrics: int,
    since: float,
    until: float,
    of_label: Mapping[str, Sequence[Label]],
) -> Outcome:
    recent = [one for one in past if one.opened >= until - budget.WEEKS * budget.WEEK_S]
    thresholds = budget.thresholds_of(recent, variant.rules, until)
    notified = {
        number_of(message.incident) for message in preview_of(past, variant.rules, thresholds).messages
    }
    labels = sum(map(len, of_label.values()))
    right = 0
    alarmed: set[Label] = set()
    first_in: dict[Label, int] = {}
    for incident in past:
        inside = [
            (label, alarm.time)
            for alarm in incident.alarms
            for label in of_label.get(alarm.name, ())
            if label.first <= alarm.time <= label.last
        ]
        alarmed.update(label for label, _ in inside)
        if incident.number in notified:
            right += bool(inside)
            for label, time in inside:
                first_in[label] = min(first_in.get(label, time), time)
    return Outcome(
        variant=variant.name,
        metrics=metrics,
        alarms=sum(len(incident.alarms) for incident in past),
        incidents=len(past),
        notices=len(notified),
        notices_a_week=len(notified) / max((until - since) / WEEK_S, 1 / 7),
        labels=labels,
        alarmed=len(alarmed),
        found=len(first_in),
        recall=len(first_in) / labels if labels else None,
        precision=right / len(notified) if labels and notified else None,
        delay_s=median(time - label.first for label, time in first_in.items()) if first_in else None,
    )


def _by_metric(
    labels: Iterable[Label], chosen: Sequence[MetricOverview], since: float, until: float
) -> dict[str, list[Label]]:
    """Return the anomalies among labels that lie in a time, by their metrics."""
    names = {one.name for one in chosen}
    found: defaultdict[str, list[Label]] = defaultdict(list)
    for label in dict.fromkeys(labels):
        if label.kind != "anomaly" or label.last < since or label.first >= until:
            continue
        fits = None if label.match is None else name_patterns.glob(label.match)
        for name in names if fits else names & {label.metric}:
            if fits is None or fits(name):
                found[name].append(label._replace(metric=name, match=None))
    return found
