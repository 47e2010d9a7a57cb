"""Labels: what people say of metrics at a time. Those that say how teach the model; the others change no score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.structs import replace

from htmengine.admin.teaching import PastAlarm, preview
from htmengine.incidents import labels as stored
from htmengine.incidents import teaching
from htmengine.incidents.teaching import Wanted
from htmengine.repository import teachings
from htmengine.repository.teachings import Effect, Teaching
from htmengine.web import problems
from htmengine.web.api.alarms import decoded, encoded
from htmengine.web.label_shapes import (
    Label,
    LabelHow,
    LabelKind,
    LabelPage,
    LabelPreview,
    PreviewedAlarm,
    SilencedPage,
    SilencedRow,
    TaughtPast,
)
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import FieldError, Problem, unknown_metric
from htmengine.web.shapes import Cursor, Limit, Time, Uid, number
from htmengine.web.site import Site

operations = Operations()
_FIELDS: Final = (("ends before", "/to"), ("expires", "/expires"), ("pattern", "/match"))


class LabelsQuery(Struct, frozen=True, rename={"from_": "from"}):
    """Which labels."""

    uid: Uid | None = None
    """Of this metric, by its uid or by a pattern."""
    kind: LabelKind | None = None
    from_: Time | None = None
    """Those that lie at least partly between the two."""
    to: Time | None = None
    undone: bool = False
    """Also those that taught a model and were taken back."""
    taught: bool = False
    """Only those that taught a model."""
    limit: Limit = 100
    after: Cursor | None = None


@operations("GET", "/labels", "read")
def labels(call: Call, query: LabelsQuery) -> LabelPage:
    """List labels that have not expired and verdicts of incidents, by the times at which they begin."""
    after = decoded(query.after, tuple[int, int, str, str]) if query.after else None
    with call.site.context.database.read() as conn:
        found = stored.labels(
            conn,
            now=call.site.clock(),
            uid=query.uid,
            kind=query.kind,
            since=query.from_,
            until=query.to,
            undone=query.undone,
            taught=query.taught,
        )
    left = [label for label in found if after is None or _place(label) > after]
    page = left[: query.limit]
    following = encoded(_place(page[-1])) if len(left) > len(page) else None
    return LabelPage(_with_effects(call, page), following)


class LabelBody(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """The label to make: of one metric, or of those whose names fit a pattern."""

    from_: Time
    """Both times are included."""
    to: Time
    kind: LabelKind
    """normal; anomaly: something was wrong; ignore: it says nothing, such as maintenance."""
    uid: Uid | None = None
    match: Annotated[str, Meta(min_length=1, max_length=stored.MAX_PATTERN)] | None = None
    note: Annotated[str, Meta(max_length=stored.MAX_NOTE)] = ""
    expires: Time | None = None
    how: LabelHow | None = None
    """Teach the model of `uid`, for samples until `expires`, or for 90 days. normal by values: such values are usual;
    by times: in these hours of the week alarms need more; by forget: the model has not seen the span. anomaly by forget:
    the model is not to get used to it."""


@operations("POST", "/labels", "teach", problems.METRIC_NOT_FOUND, problems.CONFLICT, status=201)
def add_label(call: Call, body: LabelBody) -> Label:
    """Make a label. It is kept, shown and exported; one that says how teaches the model from the metric's next row on, one without changes no score, and is made once."""
    if body.uid is not None and body.uid not in call.site.fleet.index:
        raise unknown_metric(body.uid)
    if body.how is not None:
        lesson = teaching.teach(call.site.context.database, _wanted(call, body))
        return shown(call.site, lesson.label, lesson.teaching)
    label = stored.Label(
        uid=body.uid,
        match=body.match,
        begins=int(body.from_ // 1),
        ends=int(body.to // 1),
        kind=body.kind,
        note=body.note,
        by=call.principal.name if call.principal else "",
        created=int(call.site.clock()),
        expires=None if body.expires is None else int(body.expires),
    )
    try:
        stored.check(label)
    except ValueError as error:
        pointer = next((field for words, field in _FIELDS if words in str(error)), "")
        errors = [FieldError(pointer, str(error))] if pointer else []
        raise Problem(problems.BAD_REQUEST, f"The label cannot be: {error}.", errors=errors) from None
    with call.site.context.database.write() as conn:
        return shown(call.site, stored.add(conn, label))


@operations("DELETE", "/labels/{label}", "teach", problems.NOT_FOUND)
def remove_label(call: Call, label: Annotated[str, Meta(min_length=1, max_length=40)]) -> None:
    """Remove a label. What it taught a model is undone from the metric's next row on. A verdict is changed with its incident."""
    number = stored.number_of(label)
    by = call.principal.name if call.principal else ""
    database, now = call.site.context.database, int(call.site.clock())
    if number is not None and not teaching.take_back(database, [number], by=by, now=now):
        return
    raise Problem(problems.NOT_FOUND, "There is no such label; GET /api/v1/labels lists them.")


@operations("POST", "/labels/preview", "read", problems.METRIC_NOT_FOUND, problems.CONFLICT, audited=False)
def preview_label(call: Call, body: LabelBody) -> LabelPreview:
    """Say what a label that teaches would have done from its span on: the model takes the rows again; nothing is stored."""
    if body.uid is not None and body.uid not in call.site.fleet.index:
        raise unknown_metric(body.uid)
    found = preview(call.site.context, _wanted(call, body))
    return LabelPreview(
        rows_replayed=found.rows_replayed,
        seconds=round(found.seconds, 3),
        from_=float(found.from_timestamp),
        reaches_span=found.reaches_the_span,
        would_silence=[_previewed(alarm) for alarm in found.would_silence],
        of_these_called_real=found.of_these_called_real,
        would_add=[_previewed(alarm) for alarm in found.would_add],
        effective_rowid=found.lesson.teaching.effective_rowid,
        expires=found.lesson.teaching.expires,
    )


def _previewed(alarm: PastAlarm) -> PreviewedAlarm:
    return PreviewedAlarm(
        alarm.rowid, float(alarm.timestamp), alarm.value, alarm.log_score, alarm.cause, alarm.is_real
    )


@operations("GET", "/metrics/{uid}/taught-past", "read", problems.METRIC_NOT_FOUND, problems.CONFLICT)
def taught_past(call: Call, uid: Uid) -> TaughtPast:
    """Say which alarms of a metric would not have been, had all that its model was taught counted from its span on.

    The model takes the rows again; nothing is stored. `GET /metrics/{uid}/data` gives their scores with `rescored=true`.
    """
    if uid not in call.site.fleet.index:
        raise unknown_metric(uid)
    found = call.site.taught_pasts.of(call.site.context, uid, now=call.site.clock())
    return TaughtPast(
        rows=found.rows,
        seconds=round(found.seconds, 3),
        from_=float(found.begins),
        first_rowid=found.first,
        gone=[_previewed(alarm) for alarm in found.gone],
        added=[_previewed(alarm) for alarm in found.added],
    )


class SilencedQuery(Struct, frozen=True, rename={"from_": "from"}):
    """Which rows."""

    from_: Time | None = None
    to: Time | None = None
    """Left out itself."""
    limit: Limit = 100
    after: Cursor | None = None


@operations("GET", "/metrics/{uid}/silenced", "read", problems.METRIC_NOT_FOUND)
def silenced(call: Call, uid: Uid, query: SilencedQuery) -> SilencedPage:
    """List the rows of a metric that would have alarmed, had nobody taught that they are normal, the newest first."""
    if uid not in call.site.fleet.index:
        raise unknown_metric(uid)
    before = decoded(query.after, int) if query.after else None
    with call.site.context.database.read() as conn:
        found = teachings.silenced_between(
            conn, uid, query.from_, query.to, before_rowid=before, limit=query.limit + 1
        )
    page = found[: query.limit]
    items = [
        SilencedRow(
            row.rowid, float(row.timestamp), number(row.value), number(row.log_score), f"l{row.label}"
        )
        for row in page
    ]
    return SilencedPage(items, encoded(page[-1].rowid) if len(found) > query.limit else None)


def _wanted(call: Call, body: LabelBody) -> Wanted:
    if body.uid is None or body.match is not None or body.how is None:
        pointer = "/how" if body.how is None else "/uid"
        detail = "one metric is taught, by its uid, and how: values, times or forget"
        raise Problem(
            problems.BAD_REQUEST,
            f"The label teaches nothing: {detail}.",
            errors=[FieldError(pointer, detail)],
        )
    return Wanted(
        uid=body.uid,
        kind=body.kind,
        how=body.how,
        begins=int(body.from_ // 1),
        ends=int(body.to // 1),
        note=body.note,
        by=call.principal.name if call.principal else "",
        created=int(call.site.clock()),
        expires=None if body.expires is None else int(body.expires),
    )


def _with_effects(call: Call, found: Sequence[stored.Label]) -> list[Label]:
    """Return labels as the API shows them, with what those have silenced that teach."""
    numbers = {label.number for label in found if label.number is not None and label.uid is not None}
    known: dict[int, Teaching] = {}
    effects: dict[int, Effect] = {}
    if numbers:
        with call.site.context.database.read() as conn:
            uids = {label.uid for label in found if label.number in numbers and label.uid is not None}
            known = {one.label: one for own in teachings.read_all(conn, uids).values() for one in own}
            effects = teachings.effects(conn, numbers & known.keys()) if known else {}
    return [
        shown(call.site, label, known.get(label.number or 0), effects.get(label.number or 0))
        for label in found
    ]


def shown(
    site: Site, label: stored.Label, taught: Teaching | None = None, effect: Effect | None = None
) -> Label:
    """Return a label as the API shows it; `taught`: what it taught a model, and what that has silenced."""
    fleet = site.fleet
    with fleet.lock:
        place = fleet.index.get(label.uid or "")
        name = None if place is None else fleet.names[place]
        newest = math.nan if place is None else float(fleet.column("time")[place])
    found = Label(
        id=label.id,
        uid=label.uid,
        match=label.match,
        from_=label.begins,
        to=label.ends,
        kind=label.kind,
        note=label.note,
        by=label.by,
        created=label.created,
        expires=label.expires,
        incident=label.incident,
        name=name,
    )
    if taught is None:
        return found
    return replace(
        found,
        expires=taught.expires,
        how=taught.how,
        effective_rowid=taught.effective_rowid,
        silenced=effect.alarms if effect else 0,
        last_silenced=effect.last if effect else None,
        undone=taught.undone,
        counts=taught.undone is None and not newest >= taught.expires,
    )


def _place(label: stored.Label) -> tuple[int, int, str, str]:
    return label.begins, label.ends, label.id, label.uid or ""
