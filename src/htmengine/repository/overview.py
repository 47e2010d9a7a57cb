"""The state of metrics: what the commands `metrics`, `doctor` and `status` show. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, and_, case, func, or_, select

from htmengine.repository import schema
from htmengine.repository.chunks import in_chunks
from htmengine.repository.metrics import IS_CUSTOM
from htmengine.repository.status import WITH_MODEL, MetricStatus

STATUS_NAMES: Final = {status.value: status.name.lower().replace("_", " ") for status in MetricStatus}


class MetricOverview(NamedTuple):
    """One metric."""

    uid: str
    name: str
    status: int
    message: str | None
    generation: int
    base_rowid: int
    last_rowid: int
    scored_rowid: int
    tail_timestamp: int | None
    """Timestamp of the last row, in seconds since the epoch."""
    model_params: str | None

    @property
    def status_name(self) -> str:
        """The status in words."""
        return STATUS_NAMES.get(self.status, str(self.status))

    @property
    def monitored(self) -> bool:
        """Whether the metric has a model, or is to get one."""
        return self.status != MetricStatus.UNMONITORED

    @property
    def waits_for_rows(self) -> bool:
        """Whether the model waits for enough rows to take its range from."""
        return self.status == MetricStatus.PENDING_DATA

    @property
    def failed(self) -> bool:
        """Whether the model cannot go on; `message` says why."""
        return self.status == MetricStatus.ERROR

    @property
    def unscored(self) -> int:
        """Rows that are stored and wait for their scores."""
        if self.status not in WITH_MODEL:
            return 0
        return self.last_rowid - max(self.scored_rowid, self.base_rowid)


def metrics(conn: Connection, names: Sequence[str] | None = None) -> list[MetricOverview]:
    """Return custom metrics by name: those of these names, or all."""
    column = schema.metric.c
    query = _of_metric().where(IS_CUSTOM).order_by(column.name)
    if names is None:
        return [MetricOverview(*row) for row in conn.execute(query)]
    wanted = set(names)
    found = [
        MetricOverview(*row)
        for some in in_chunks(list(wanted))
        for row in conn.execute(query.where(column.name.in_(some)))
        if row.name in wanted  # in their exact case
    ]
    return sorted(found, key=attrgetter("name"))


def noteworthy(conn: Connection, silent: Sequence[str]) -> list[MetricOverview]:
    """Return custom metrics by name that failed, wait for rows or scores, or are silent, as these uids are; others are not read."""
    column = schema.metric.c
    status = func.coalesce(column.status, 0)
    learned = case((schema.scored_rowid > column.base_rowid, schema.scored_rowid), else_=column.base_rowid)
    waits = and_(status.in_(WITH_MODEL), func.coalesce(column.last_rowid, 0) != learned)
    query = _of_metric().where(IS_CUSTOM)
    ofs = [
        or_(status.in_((MetricStatus.ERROR, MetricStatus.PENDING_DATA)), waits),
        *(column.uid.in_(some) for some in in_chunks(silent)),
    ]
    found = {row.uid: MetricOverview(*row) for of in ofs for row in conn.execute(query.where(of))}
    return sorted(found.values(), key=attrgetter("name"))


def page(conn: Connection, after: str | None, limit: int) -> list[MetricOverview]:
    """Return the first custom metrics by name, behind one if it is given, at most `limit`; others are not read."""
    column = schema.metric.c
    query = _of_metric().where(IS_CUSTOM).order_by(column.name).limit(limit)
    if after is not None:
        query = query.where(column.name > after)
    return [MetricOverview(*row) for row in conn.execute(query)]


def metric(conn: Connection, name: str) -> MetricOverview | None:
    """Return the custom metric of this name, or None."""
    return next(iter(metrics(conn, [name])), None)


class Totals(NamedTuple):
    """All metrics together."""

    metrics: int
    by_status: dict[str, int]
    rows: int
    """Samples that were ever stored."""
    unscored: int

    @property
    def monitored(self) -> int:
        """Metrics that have a model."""
        return sum(self.by_status.get(STATUS_NAMES[status], 0) for status in WITH_MODEL)


def totals(conn: Connection) -> Totals:
    """Return the sums over all metrics; rows of the samples' table are not looked at."""
    column = schema.metric.c
    query = (
        select(
            column.status,
            func.count(),
            func.coalesce(func.sum(column.last_rowid), 0),
            func.coalesce(func.sum(column.last_rowid - schema.scored_rowid), 0),
        )
        .select_from(schema.watermarked)
        .group_by(column.status)
    )
    count = rows = unscored = 0
    by_status: dict[str, int] = {}
    for status, number, last, behind in conn.execute(query):
        count += number
        rows += int(last)
        if status in WITH_MODEL:
            unscored += int(behind)
        by_status[STATUS_NAMES.get(status or 0, str(status))] = number
    return Totals(count, by_status, rows, unscored)


class BackfillState(NamedTuple):
    """A metric whose history is being sent."""

    renewed_at: int
    held: int
    """Live samples that wait until the history is complete."""


def backfill(conn: Connection, name: str) -> BackfillState | None:
    """Return the state of a metric's backfill, None where there is none."""
    renewed_at = conn.scalar(select(schema.backfill.c.renewed_at).where(schema.backfill.c.name == name))
    if renewed_at is None:
        return None
    held = conn.scalar(
        select(func.count()).select_from(schema.held_sample).where(schema.held_sample.c.name == name)
    )
    return BackfillState(renewed_at, held or 0)


def _of_metric() -> Select[Any]:
    column = schema.metric.c
    return select(
        column.uid,
        column.name,
        func.coalesce(column.status, 0),
        column.message,
        column.generation,
        column.base_rowid,
        func.coalesce(column.last_rowid, 0),
        schema.scored_rowid,
        column.tail_timestamp,
        column.model_params,
    ).select_from(schema.watermarked)
