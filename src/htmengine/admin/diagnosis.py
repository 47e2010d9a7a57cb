"""Why a metric has no score yet, or no new one: pure functions, without files or a clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from htmengine.htm.params import ROWS_FOR_RANGE
from htmengine.readable import counted, duration
from htmengine.repository.overview import BackfillState, MetricOverview
from htmengine.repository.silences import Silence

OLD_S: Final = 600.0
"""Of a metric whose last sample is older than this, the age is told."""
AHEAD_S: Final = 60.0
"""One whose last sample lies further ahead of the clock than this is reported as ahead: samples that are not later are refused."""


class Services(NamedTuple):
    """Which services run, as far as it matters to a metric."""

    storer: bool
    scheduler: bool
    anomaly: bool


class Facts(NamedTuple):
    """What is known of a metric that exists."""

    metric: MetricOverview
    services: Services
    backfill: BackfillState | None
    input_queued: int
    """Messages that wait in the queue of the metric's shard."""
    results_queued: int
    last_checkpoint: int | None
    """The last rowid in the newest checkpoint."""
    now: float
    refused: Sequence[str] = ()
    """The reasons for which lines of the metric were refused lately."""
    silent: Silence | None = None
    """Its silence, where it sends nothing for longer than is usual."""
    left_out: str | None = None
    """Why the rules give it no model, where it has none."""


class Diagnosis(NamedTuple):
    """What is to be said of a metric."""

    sentence: str
    needs_attention: bool = False


def unknown(name: str, services: Services, data_queued: int, refused: Sequence[str] = ()) -> Diagnosis:
    """Return what is to be said of a name that no metric has."""
    if refused:
        return Diagnosis(f"No metric {name} is stored. {_refused(refused)}", True)
    if not services.storer:
        return Diagnosis(
            f"No metric {name} is stored, and no metric_storer runs: start `htmengine up`.", True
        )
    if data_queued:
        return Diagnosis(
            f"No metric {name} is stored; {counted(data_queued, 'message')} still to be stored may hold it."
        )
    return Diagnosis(
        f"No sample of {name} has ever arrived. Names are compared exactly, upper and lower case included; "
        "lines that were rejected are counted above, with the reason.",
        True,
    )


def diagnose(facts: Facts) -> Diagnosis:
    """Return in a sentence why there is no score yet, or that all is well; in another, whether lines were refused."""
    said = _diagnose(facts)
    return said._replace(sentence=f"{said.sentence} {_refused(facts.refused)}") if facts.refused else said


def _refused(reasons: Sequence[str]) -> str:
    return f"Lines of it were refused: {'; '.join(reasons)}."


def _diagnose(facts: Facts) -> Diagnosis:
    metric, services = facts.metric, facts.services
    if metric.failed:
        return Diagnosis(
            f"The model stopped with an error: {metric.message or 'no message was kept'}. "
            f"Start it anew: htmengine unmonitor {metric.name} && htmengine monitor {metric.name}",
            True,
        )
    if not metric.monitored:
        why = f": {facts.left_out}" if facts.left_out else ""
        return Diagnosis(
            f"Samples are stored, but the metric is not monitored{why}. "
            f"Give it a model: htmengine monitor {metric.name}"
        )
    if facts.backfill:
        held = (
            f" {counted(facts.backfill.held, 'live sample')} will follow it." if facts.backfill.held else ""
        )
        if not metric.unscored:
            return Diagnosis(f"History is being sent.{held}")
    if not services.storer:
        return Diagnosis("No metric_storer runs: nothing new is stored. Start `htmengine up`.", True)
    if metric.last_rowid == 0:
        return Diagnosis(
            "The metric is monitored, but no sample has been stored yet: send one, and check its name.",
            True,
        )
    if metric.waits_for_rows:
        missing = ROWS_FOR_RANGE - metric.last_rowid
        return Diagnosis(
            f"The model waits for {counted(max(missing, 1), 'more sample')} to infer the metric's range "
            f"({metric.last_rowid} of {ROWS_FOR_RANGE} are there); with --min and --max it starts at once."
        )
    if metric.unscored:
        return _behind(facts)
    return _up_to_date(facts)


def _behind(facts: Facts) -> Diagnosis:
    metric, services = facts.metric, facts.services
    rows = f"{counted(metric.unscored, 'stored sample')} not scored yet"
    if not services.scheduler:
        return Diagnosis(f"{rows}: no model_scheduler runs. Start `htmengine up`.", True)
    if not services.anomaly:
        return Diagnosis(f"{rows}: no anomaly_service runs. Start `htmengine up`.", True)
    if facts.input_queued or facts.results_queued:
        return Diagnosis(
            f"{rows}: they are on their way (messages of its shard that wait for the models: "
            f"{facts.input_queued}, for storing: {facts.results_queued})."
        )
    return Diagnosis(f"{rows}: they are being scored, or the sweep will send them again within seconds.")


def _up_to_date(facts: Facts) -> Diagnosis:
    metric = facts.metric
    age_s = facts.now - (metric.tail_timestamp or facts.now)
    seen = metric.last_rowid - metric.base_rowid
    young = (
        f" The model has seen {seen} and is young: at first only very large deviations alarm, "
        "jumps and sequences from some hundred on."
    )
    more = young if seen < ROWS_FOR_RANGE else ""
    if -age_s > AHEAD_S:
        return Diagnosis(
            f"All samples are scored; the last one lies {duration(-age_s)} ahead of this machine's clock, and until "
            f"then earlier ones are refused: look at the sender's clock.{more}",
            True,
        )
    if facts.silent is not None:
        usual = duration(facts.silent.interval_s)
        return Diagnosis(
            f"All samples are scored; the last one is of {duration(age_s)} ago, usually one comes every {usual}: "
            f"it is silent, look at its sender.{more}",
            True,
        )
    if age_s > OLD_S:
        return Diagnosis(
            f"All samples are scored; the last one is of {duration(age_s)} ago: nothing newer has arrived.{more}"
        )
    return Diagnosis(f"All samples are scored.{more}")
