"""What the API answers with: JSON objects as types. Times are seconds since the epoch, UTC.

New fields get a default; a field keeps its name, type and meaning.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from htmengine.web.alert_shapes import Delivery
from htmengine.web.label_shapes import LabelKind

Uid = Annotated[str, Meta(min_length=1, max_length=40, pattern="^[0-9A-Za-z_.:-]+$")]
Time = Annotated[float, Meta(ge=-62135596800, le=253402300799)]
"""From the year 1 to the year 9999."""
Score = Annotated[float, Meta(ge=0, le=1)]
Limit = Annotated[int, Meta(ge=1, le=1000)]
Cursor = Annotated[str, Meta(max_length=2000)]
Pattern = Annotated[str, Meta(max_length=300)]
RowId = Annotated[int, Meta(ge=0, le=2**53)]

State = Literal["active", "learning", "silent", "no_model", "error", "unmonitored"]
ReasonCode = Literal[
    "new",
    "too_few_samples",
    "pending_data",
    "no_model",
    "model_error",
    "queue_behind",
    "never_scored",
    "silent",
]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
Direction = Literal["up", "down", "pattern"]
Verdict = Literal["true", "false", "not_mine"]
"""Whether something was wrong; or it was, and others are to look after it."""


class LastRow(Struct, frozen=True):
    """The newest sample of a metric."""

    rowid: int
    time: float | None
    value: float | None


class WhyNoScore(Struct, frozen=True):
    """Why a metric has no score, or no new one."""

    code: ReasonCode
    text: str
    have: int | None = None
    need: int | None = None
    eta: float | None = None
    """Seconds until there are enough samples, at the rate at which they come."""


class MetricRow(Struct, frozen=True):
    """A metric as the list shows it."""

    uid: str
    name: str
    tags: dict[str, str]
    state: State
    last: LastRow | None
    interval: float | None
    """Seconds from sample to sample."""
    log_score: float | None
    max_1h: float | None
    max_24h: float | None
    one_in: float | None
    alarms_24h: int
    usual: tuple[float, float] | None
    forecast: float | None
    incident: str | None
    snoozed_until: float | None
    """So long nothing is told of the incident that it is in."""
    why_no_score: WhyNoScore | None
    oddness: float
    """What the list is ordered by: the highest log score, where an older one counts less."""
    cause: str | None
    """Of the newest alarm."""
    direction: Direction | None
    since: float | None
    """When the present alarm began, or the last sample of a metric that is silent; null while nothing is unusual."""
    stored: int
    """Rows that were ever stored."""
    acknowledged_by: str | None = None
    """Who looks after the incident that it is in."""


class MetricPage(Struct, frozen=True):
    """Some metrics."""

    items: list[MetricRow]
    next: str | None
    """Give it as `after` for the next ones; null: these were the last."""
    total: int
    """How many metrics the search finds."""


class ModelDetail(Struct, frozen=True):
    """The model of a metric."""

    parameter_set: str | None
    samples: int
    """From which it has learned."""
    generation: int
    checkpoint_rowid: int | None
    """The last row in its newest checkpoint."""
    checkpoint_age_s: float | None


class RefusedLines(Struct, frozen=True):
    """Input that was refused, by its reason."""

    reason: str
    count: int
    sample: str | None
    cure: str | None


class MetricDetail(MetricRow, frozen=True, kw_only=True):
    """Everything that is known of one metric."""

    first: float | None
    """Time of the oldest row that is kept."""
    rows: int
    """Rows that are kept."""
    unit: str | None
    status: str
    """As `htmengine doctor` calls it."""
    message: str | None
    scored: int
    unscored: int
    """Rows that wait for their scores."""
    lag_s: float | None
    model: ModelDetail | None
    doctor: str
    """In a sentence: all is well, or why there is no score."""
    needs_attention: bool
    refused: list[RefusedLines]


class TreeNode(Struct, frozen=True):
    """Metrics whose names begin alike."""

    prefix: str
    """As given to `prefix` for its children; a single metric's name otherwise."""
    label: str
    """The next segment of the name."""
    count: int
    unusual: int
    """How many had an alarm in the last hour."""
    worst: float
    """Highest log score of the last hour."""
    uid: str | None
    """Of the metric, if it is one."""


class TreeAnswer(Struct, frozen=True):
    """Children of a prefix."""

    prefix: str
    items: list[TreeNode]
    tags: list[str]
    """Names of tags that these metrics have."""


class Spark(Struct, frozen=True):
    """A metric in small: 60 cells of equal length, the oldest first."""

    spark: list[int | None]
    """Last value in each cell, 0 for `low` to 255 for `high`; null where there is none."""
    low: float | None
    high: float | None
    bars: list[int]
    """Highest log score in each cell, 0 to 255 for 0 to 1."""
    bridge: int
    """So many empty cells in a row are no gap: the metric's samples come less often than the cells."""


class Sparks(Struct, frozen=True):
    """Metrics in small."""

    step: float
    """Seconds in a cell."""
    end: float
    """Where the last cell ends."""
    items: dict[str, Spark]


class Data(Struct, frozen=True, rename={"from_": "from"}):
    """Rows of a metric."""

    uid: str
    from_: float | None
    to: float | None
    step: float | None
    """Seconds in a point; null: every row stands for itself."""
    downsampled: bool
    columns: list[str]
    rows: list[list[float | None]]
    next_rowid: int
    """The highest rowid so far; give it as `since_rowid` for what comes after."""


class Alarm(Struct, frozen=True):
    """A sample that was unusual, and why."""

    uid: str
    name: str
    rowid: int
    time: float
    value: float
    log_score: float
    peak: float
    """Highest log score of the alarm that this row belongs to."""
    one_in: float | None
    cause: str | None
    channel: str | None
    direction: Direction | None
    forecast: float | None
    usual: tuple[float, float] | None
    foreseen: list[tuple[float, float]]
    alarms_before: int | None
    last_alarm: float | None
    sentence: str
    verdict: str | None = None
    label: LabelKind | None = None
    """What a label says of this time, the newest of several."""


class AlarmPage(Struct, frozen=True):
    """Some alarms, the newest first."""

    items: list[Alarm]
    next: str | None


class FirstMover(Struct, frozen=True):
    """The metric with which an incident began."""

    uid: str
    name: str
    time: float


class IncidentMetric(Struct, frozen=True):
    """What an incident has of a metric: from its first to its last alarm, and the strongest of them."""

    uid: str
    name: str
    first: float
    last: float
    lag: float
    """Seconds after the incident's first alarm."""
    alarms: int
    rowid: int
    """Of the strongest alarm, as all that follows."""
    time: float
    value: float
    max: float
    one_in: float | None
    cause: str | None
    direction: Direction | None
    reason: str
    sentence: str
    forecast: float | None = None
    """What the model expected of that value."""
    usual: tuple[float, float] | None = None
    """99 of 100 values lie between these two; null where the value does, too, or nobody knows."""


class Acknowledgement(Struct, frozen=True):
    """Somebody looks after an incident."""

    by: str
    at: float
    note: str


class IncidentVerdict(Struct, frozen=True):
    """What somebody says that an incident was."""

    verdict: Verdict
    by: str
    at: float
    note: str


class IncidentAction(Struct, frozen=True):
    """What somebody did about an incident."""

    action: Literal["ack", "snooze", "resolve", "comment", "verdict"]
    by: str
    at: float
    note: str
    until: float | None
    """Of a snooze."""
    verdict: Verdict | None


class Incident(Struct, frozen=True):
    """Alarms that belong together."""

    id: str
    state: Literal["open", "resolved", "merged"]
    severity: Literal["info", "warning"]
    opened: float
    """Time of the first alarm, by the samples."""
    changed: float
    """Time of the newest alarm."""
    resolved: float | None
    """When it was over."""
    seq: int
    """Number of its last change."""
    metric_count: int
    alarm_count: int
    max: float
    """Highest log score."""
    first_mover: FirstMover | None
    metrics: list[IncidentMetric]
    """By their first alarm; in lists the first of them only."""
    sentence: str
    url: str
    """Its page, relative to the root of the site."""
    merged_into: str | None = None
    """The incident that it turned out to be part of."""
    ack: Acknowledgement | None = None
    """The last one."""
    snoozed_until: float | None = None
    """So long nothing is told of it; it may have passed."""
    verdict: IncidentVerdict | None = None
    """The last one."""
    history: list[IncidentAction] = []
    """What people did about it, in its order."""
    deliveries: list[Delivery] = []
    """What was told of it, in its order; not in lists."""


class IncidentPage(Struct, frozen=True):
    """Some incidents."""

    items: list[Incident]
    next: str | None


class RankedMetric(Struct, frozen=True):
    """A metric and how unusual it was within a window."""

    uid: str
    name: str
    score: float
    max: float
    """Highest log score in the window."""
    alarms: int
    first: float | None
    """Time of its first alarm in the window."""


class RankedMetrics(Struct, frozen=True):
    """Metrics, the most unusual first."""

    items: list[RankedMetric]
    next: str | None = None


class FleetStrip(Struct, frozen=True):
    """How many metrics alarmed, over time."""

    step: float
    times: list[int]
    """Where each cell begins."""
    alarming: list[int]
    """Metrics with an alarm in the cell."""
    metrics: list[int]
    """Metrics that there were, as far as it is known."""


class Trouble(Struct, frozen=True):
    """Something that is wrong with the engine itself."""

    code: str
    text: str
    do: str | None
    """What to do about it."""


class Overview(Struct, frozen=True):
    """All in one sentence's numbers."""

    incidents_open: int
    unusual: int
    """Metrics with an alarm in the last five minutes."""
    metrics: int
    lag_s: float | None
    """Age of the oldest message that waits within the engine."""
    engine: Literal["well", "trouble"]
    troubles: list[Trouble]
    samples_total: int
    """Samples that were ever stored."""
    monitored: int
    """Metrics with a model."""
    calm_since: float | None
    """Time of the last alarm; null while something is unusual, or if there never was one."""


class Monitored(Struct, frozen=True):
    """What became of it."""

    monitored: int
    """Metrics that got a model."""
    left: int
    """Metrics without a model that the pattern fits and that were left for the next request."""


class Changed(Struct, frozen=True):
    """What became of the metrics of a pattern."""

    changed: int
    """Metrics that were changed."""
    left: int
    """Metrics that the pattern fits and that were left for the next request."""


class JobAnswer(Struct, frozen=True):
    """Work that goes on in the background."""

    id: str
    kind: str
    state: JobState
    done: int
    total: int | None
    """About how much there is to do; null where nobody knows."""
    stage: str
    """What is being done, for a person."""
    started: float | None
    result_url: str | None
    """Where the result is, relative to /api/v1/; null while there is none."""
    error: str | None
    """Why it failed, and what to do."""


class JobList(Struct, frozen=True):
    """Jobs, the newest first."""

    items: list[JobAnswer]


class TokenAnswer(Struct, frozen=True):
    """A token."""

    id: str
    name: str
    scopes: list[str]
    created: float
    last_used: float | None
    by: str
    """Who made it."""
    token: str | None = None
    """The secret, told once, when it is made."""


class TokenList(Struct, frozen=True):
    """Tokens, the oldest first."""

    items: list[TokenAnswer]


class ResultsAnswer(Struct, frozen=True):
    """Results that came after a cursor."""

    columns: list[str]
    rows: list[list[str | float | int | None]]
    next: str
    """The cursor for the next request."""
    reset: bool
    """Whether what came after the given cursor is not kept any more: read the list again."""


class Explanation(Struct, frozen=True):
    """Why a row got its scores."""

    uid: str
    name: str
    rowid: int
    time: float
    value: float
    log_score: float
    one_in: float | None
    cause: str | None
    channel: str | None
    direction: Direction | None
    forecast: float | None
    usual: tuple[float, float] | None
    foreseen: list[tuple[float, float]]
    """Ranges of values that the memory had foreseen."""
    alarms_before: int
    last_alarm: float | None
    sentence: str
    channels: dict[str, float]
    """How unusual the row is by each channel, 0 to 1 on the log scale: sequence, jump, extreme, deviation."""
    strengths: dict[str, float]
    """The same by each cause."""
    damped: bool
    """Whether an alarm just before lowered the score."""
    silenced_by: str | None = None
    """The label by which the row does not alarm, since it teaches that such a row is normal."""


class Event(Struct, frozen=True):
    """Something that was done to the fleet."""

    id: int
    time: int
    what: str
    tags: list[str]
    data: str
    """More of it."""
    by: str
    """Who told of it."""


class Events(Struct, frozen=True):
    """Some events."""

    items: list[Event]


class Session(Struct, frozen=True):
    """What a page needs to know first."""

    version: str
    token_needed: bool
    scopes: list[str]
    """What this client may do."""
    server_time: float
    public_url: str | None
    graphite_port: int
    http_port: int
    hostname: str
    grafana_url: str | None = None
    """Where a metric stands in Grafana; `{metric}`, `{from}` and `{to}` are to be filled in, the times in milliseconds."""
    record: str | None = None
    """What is served, if it is no installation but a record that nothing is added to."""


class Document(Struct, frozen=True):
    """A document of the command line's `--json`."""

    document: dict[str, Any]


def number(value: Any) -> float | None:
    """Return a number for JSON: None for NaN, infinities and None."""
    if value is None:
        return None
    result = float(value)
    return result if result - result == 0.0 else None


def tags_of(name: str) -> dict[str, str]:
    """Return the tags in a name such as `base;k=v;k2=v2`."""
    return dict(pair.split("=", 1) for pair in name.split(";")[1:] if "=" in pair)


encode = msgspec.json.encode
