"""What `htmengine teach` does."""

from __future__ import annotations

import getpass
import time

from htmengine.admin import teaching as previews
from htmengine.admin.taught_past import taught_past
from htmengine.admin.teaching import PastAlarm, Preview
from htmengine.cli.labels import time_of
from htmengine.cli.monitoring import known
from htmengine.cli.options import one_of
from htmengine.cli.session import print_json, print_table, utc
from htmengine.cli.terminal import echo_stderr, echo_stdout
from htmengine.errors import MisuseError
from htmengine.incidents import labels, teaching
from htmengine.incidents.teaching import Wanted
from htmengine.labels.files import Kind
from htmengine.readable import counted
from htmengine.repository import metrics, teachings
from htmengine.repository.teachings import Effect, How, Teaching
from htmengine.service.context import Context

ALARMS_SHOWN = 20
"""Of each kind in a preview; `--json` has all."""


def preview(
    context: Context, name: str, *, begins: str, ends: str, how: str, anomaly: bool, json: bool
) -> None:
    """Print what would change."""
    wanted = _wanted(
        context, name, begins=begins, ends=ends, how=how, kind="anomaly" if anomaly else "normal"
    )
    found = previews.preview(context, wanted)
    if json:
        print_json(
            {
                "rowsReplayed": found.rows_replayed,
                "seconds": round(found.seconds, 3),
                "from": found.from_timestamp,
                "reachesSpan": found.reaches_the_span,
                "wouldSilence": [alarm._asdict() for alarm in found.would_silence],
                "ofTheseCalledReal": found.of_these_called_real,
                "wouldAdd": [alarm._asdict() for alarm in found.would_add],
            }
        )
        return
    _tell(name, found)


def _tell(name: str, found: Preview) -> None:
    if found.rows_replayed and found.from_timestamp:
        compared = f"since {utc(found.from_timestamp)} UTC"
    else:
        compared = "so far: no sample came behind the span"
    real = f", of which {found.of_these_called_real} were called real" if found.would_silence else ""
    echo_stdout(
        f"It would have silenced {counted(len(found.would_silence), 'alarm')} of {name}{real}, "
        f"and added {counted(len(found.would_add), 'alarm')}, {compared}."
    )
    for title, alarms in (("Silenced", found.would_silence), ("Added", found.would_add)):
        if alarms:
            _print_alarms(title, alarms)
    if not found.reaches_the_span:
        echo_stderr("Earlier rows were removed: what it would have done to them is not known.")
    echo_stderr(
        f"{found.rows_replayed:,} rows were scored again in {found.seconds:.1f} s. Nothing is stored."
    )


def _print_alarms(title: str, alarms: list[PastAlarm]) -> None:
    print_table(
        (f"{title} (UTC)", "Value", "Score", "Cause", "Called real"),
        [
            (
                utc(alarm.timestamp),
                f"{alarm.value:g}",
                f"{alarm.log_score:.2f}",
                alarm.cause or "",
                "yes" if alarm.is_real else "",
            )
            for alarm in alarms[:ALARMS_SHOWN]
        ],
    )
    if len(alarms) > ALARMS_SHOWN:
        echo_stderr(f"and {len(alarms) - ALARMS_SHOWN} more; --json has all.")


def teach(
    context: Context,
    name: str,
    *,
    begins: str,
    ends: str,
    how: str,
    kind: Kind,
    note: str,
    expires: str | None,
) -> None:
    """Teach it and print the label's id."""
    wanted = _wanted(context, name, begins=begins, ends=ends, how=how, kind=kind, note=note, expires=expires)
    lesson = teaching.teach(context.database, wanted)
    echo_stdout(lesson.label.id)
    echo_stderr(
        f"It counts from row {lesson.teaching.effective_rowid} of {name} on, for samples before "
        f"{utc(lesson.teaching.expires)} UTC. Take it back with `htmengine teach undo {lesson.label.id}`."
    )


def show(context: Context, name: str | None, *, json: bool) -> None:
    """Print what models were taught."""
    uid = None if name is None else known(context, name).uid
    with context.database.read() as conn:
        states = {state.uid: state for state in metrics.custom(conn)}
        found = [
            one
            for own in teachings.read_all(conn, None if uid is None else [uid]).values()
            for one in own
            if one.uid in states
        ]
        effects = teachings.effects(conn, [one.label for one in found]) if found else {}
        taught = labels.labels(conn, now=time.time(), uid=uid, undone=True, taught=True)
        said = {label.number: label for label in taught}
    if json:
        for one in found:
            effect, label = effects.get(one.label), said.get(one.label)
            print_json(
                {
                    "id": f"l{one.label}",
                    "metric": states[one.uid].name,
                    "kind": label.kind if label else None,
                    "how": one.how,
                    "from": one.begins,
                    "to": one.ends,
                    "note": label.note if label else "",
                    "by": one.by,
                    "created": one.created,
                    "expires": one.expires,
                    "effectiveRowid": one.effective_rowid,
                    "silenced": effect.alarms if effect else 0,
                    "lastSilenced": effect.last if effect else None,
                    "undone": one.undone,
                }
            )
    elif found:
        print_table(
            ("Id", "Metric", "From (UTC)", "To (UTC)", "Is", "By", "Counts", "Silenced"),
            [
                (
                    f"l{one.label}",
                    states[one.uid].name,
                    utc(one.begins),
                    utc(one.ends),
                    f"{said[one.label].kind if one.label in said else ''} ({one.how})",
                    one.by,
                    _counts(one, states[one.uid].tail_timestamp or 0),
                    _silenced(effects.get(one.label)),
                )
                for one in found
            ],
        )
    else:
        echo_stderr(
            "No model was taught. Look first: htmengine teach preview NAME --from 90m --to 60m --how values"
        )


def _counts(one: Teaching, tail: int) -> str:
    if one.undone is not None:
        return f"taken back {utc(one.undone)}"
    return f"expired {utc(one.expires)}" if tail >= one.expires else f"until {utc(one.expires)}"


def _silenced(effect: Effect | None) -> str:
    return f"{effect.alarms}, last {utc(effect.last)}" if effect else "0"


def past(context: Context, name: str, *, json: bool) -> None:
    """Print what would have been, had all that a metric was taught counted from its span on."""
    found = taught_past(context, known(context, name).uid, now=time.time())
    if json:
        print_json(
            {
                "rows": found.rows,
                "seconds": round(found.seconds, 3),
                "from": found.begins,
                "gone": [alarm._asdict() for alarm in found.gone],
                "added": [alarm._asdict() for alarm in found.added],
            }
        )
        return
    echo_stdout(
        f"Had all that {name} was taught counted from its span on, {counted(len(found.gone), 'alarm')} "
        f"would not have been, and {counted(len(found.added), 'alarm')} would have come."
    )
    for title, alarms in (("Gone", found.gone), ("Added", found.added)):
        if alarms:
            _print_alarms(title, alarms)
    since = f", from {utc(found.begins)} UTC on," if found.rows else ""
    echo_stderr(
        f"{counted(found.rows, 'row')}{since} scored again in {found.seconds:.1f} s. Nothing is stored: "
        "rows keep the scores that they got."
    )


def undo(context: Context, id_: str) -> None:
    """Take it back."""
    number = labels.number_of(id_)
    with context.database.read() as conn:
        taught = {one.label for own in teachings.read_all(conn).values() for one in own}
    if number not in taught or teaching.take_back(
        context.database, [number], by=getpass.getuser(), now=int(time.time())
    ):
        raise MisuseError(
            f"{id_}: no model was taught by this, or it was taken back already.",
            hint="`htmengine teach list` shows what models were taught.",
        )
    echo_stderr("Taken back: from the metric's next sample on it counts no longer.")


def _wanted(
    context: Context,
    name: str,
    *,
    begins: str,
    ends: str,
    how: str,
    kind: Kind,
    note: str = "",
    expires: str | None = None,
) -> Wanted:
    return Wanted(
        uid=known(context, name).uid,
        kind=kind,
        how=one_of("--how", how, How),
        begins=time_of("--from", begins),
        ends=time_of("--to", ends),
        note=note,
        by=getpass.getuser(),
        created=int(time.time()),
        expires=None if expires is None else time_of("--expires", expires),
    )
