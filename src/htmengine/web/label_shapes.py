"""What the API answers with about labels, what models are taught by them, and what that does to scores."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

LabelKind = Literal["normal", "anomaly", "ignore"]
LabelHow = Literal["values", "times", "forget"]


class Label(Struct, frozen=True, rename={"from_": "from"}):
    """What somebody says of a metric, or of those whose names fit a pattern, at a time."""

    id: str
    """`l12`; of a verdict the incident's."""
    uid: str | None
    match: str | None
    from_: float
    """Both times are included."""
    to: float
    kind: LabelKind
    note: str
    by: str
    created: float
    expires: float | None
    incident: str | None
    """Whose verdict it is; it is changed there."""
    how: LabelHow | None = None
    """How it teaches the model; null for one that changes no score. Most of those below are of those that teach."""
    effective_rowid: int | None = None
    """The first row for which it counts. It `expires` by the time of samples."""
    silenced: int | None = None
    """How many alarms it has silenced."""
    last_silenced: float | None = None
    undone: float | None = None
    """When it was taken back."""
    name: str | None = None
    """Of the metric."""
    counts: bool | None = None
    """Whether it counts for the metric's next sample, of those that teach: it was not taken back, and has not expired."""


class PreviewedAlarm(Struct, frozen=True):
    """An alarm that a teaching would change."""

    rowid: int
    time: float
    value: float
    log_score: float
    cause: str | None
    real: bool
    """Whether somebody said that something was wrong at this time."""


class LabelPreview(Struct, frozen=True, rename={"from_": "from"}):
    """What a teaching would have done, had it counted from its span on."""

    rows_replayed: int
    seconds: float
    """That it took."""
    from_: float
    """Time of the first row that was compared."""
    reaches_span: bool
    """Whether all rows from the span on were compared; false where earlier ones were removed."""
    would_silence: list[PreviewedAlarm]
    of_these_called_real: int
    would_add: list[PreviewedAlarm]
    effective_rowid: int
    """The first row for which it would count, if it were saved now."""
    expires: float


class LabelPage(Struct, frozen=True):
    """Some labels, by the times at which they begin."""

    items: list[Label]
    next: str | None


class TaughtPast(Struct, frozen=True, rename={"from_": "from"}):
    """What would have been, had all that a metric's model was taught counted from its span on. Nothing of it is stored."""

    rows: int
    """How many were scored again: behind them they have these scores already."""
    seconds: float
    """That it took, when it was done."""
    from_: float
    """Time of the first of them."""
    first_rowid: int
    gone: list[PreviewedAlarm]
    """Alarms that would not have been."""
    added: list[PreviewedAlarm]


class SilencedRow(Struct, frozen=True):
    """A row that would have alarmed, had nobody taught that it is normal."""

    rowid: int
    time: float
    value: float | None
    """Null where the row was removed."""
    log_score: float | None
    label: str
    """What teaches it."""


class SilencedPage(Struct, frozen=True):
    """Some of them, the newest first."""

    items: list[SilencedRow]
    next: str | None
