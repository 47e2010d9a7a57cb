"""Labels: what people say of metrics at a time. They change no score."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

from htmengine.incidents import labels as stored
from htmengine.web import problems
from htmengine.web.api.alarms import decoded, encoded
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import FieldError, Problem, unknown_metric
from htmengine.web.shapes import Cursor, Label, LabelKind, LabelPage, Limit, Time, Uid

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
        )
    left = [label for label in found if after is None or _place(label) > after]
    page = left[: query.limit]
    following = encoded(_place(page[-1])) if len(left) > len(page) else None
    return LabelPage([shown(label) for label in page], following)


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


@operations("POST", "/labels", "teach", problems.METRIC_NOT_FOUND, status=201)
def add_label(call: Call, body: LabelBody) -> Label:
    """Make a label. It is kept, shown and exported, and changes no score; one that says the same is made once."""
    if body.uid is not None and body.uid not in call.site.fleet.index:
        raise unknown_metric(body.uid)
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
        return shown(stored.add(conn, label))


@operations("DELETE", "/labels/{label}", "teach", problems.NOT_FOUND)
def remove_label(call: Call, label: Annotated[str, Meta(min_length=1, max_length=40)]) -> None:
    """Remove a label. A verdict is changed with its incident."""
    number = stored.number_of(label)
    if number is not None:
        with call.site.context.database.write() as conn:
            if stored.remove(conn, number):
                return
    raise Problem(problems.NOT_FOUND, "There is no such label; GET /api/v1/labels lists them.")


def shown(label: stored.Label) -> Label:
    """Return a label as the API shows it."""
    return Label(
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
    )


def _place(label: stored.Label) -> tuple[int, int, str, str]:
    return label.begins, label.ends, label.id, label.uid or ""
