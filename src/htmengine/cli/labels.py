"""What `htmengine labels` does."""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import typer

from htmengine.cli import incidents
from htmengine.cli.monitoring import known
from htmengine.cli.options import one_of
from htmengine.cli.session import print_json, print_table, utc
from htmengine.cli.terminal import echo_stderr, echo_stdout
from htmengine.errors import MisuseError
from htmengine.incidents import labels as stored
from htmengine.incidents import teaching
from htmengine.incidents.labels import Label
from htmengine.labels import files
from htmengine.readable import counted
from htmengine.repository import metrics
from htmengine.repository.metrics import MetricState
from htmengine.runtime.metric_storer import name_patterns
from htmengine.service.context import Context

_SPECIAL = frozenset("*?[")


def show(context: Context, name: str | None, *, json: bool) -> None:
    """Print labels."""
    uid = None if name is None else known(context, name).uid
    found, names = _labels(context, uid)
    if json:
        for label in found:
            print_json(
                {
                    "id": label.id,
                    "metric": names.get(label.uid or ""),
                    "match": label.match,
                    "from": label.begins,
                    "to": label.ends,
                    "kind": label.kind,
                    "note": label.note,
                    "by": label.by,
                    "created": label.created,
                    "expires": label.expires,
                    "incident": label.incident,
                }
            )
    elif found:
        print_table(
            ("Id", "Metric", "From (UTC)", "To (UTC)", "Kind", "By", "Note"),
            [
                (
                    label.id,
                    label.match or names.get(label.uid or "", "(deleted)"),
                    utc(label.begins),
                    utc(label.ends),
                    label.kind,
                    label.by,
                    label.note,
                )
                for label in found
            ],
        )
    else:
        echo_stderr(
            "There are no labels. Make one: htmengine labels add NAME --from 90m --to 60m --kind anomaly"
        )


def add(
    context: Context, name: str, *, begins: str, ends: str, kind: str, note: str, expires: str | None
) -> None:
    """Make a label and print its id."""
    with context.database.read() as conn:
        state = metrics.states_by_name(conn, [name]).get(name)
    if state is None and not _SPECIAL & set(name):
        known(context, name)  # which says that there is none
    now = int(time.time())
    label = Label(
        uid=state and state.uid,
        match=None if state else name,
        begins=time_of("--from", begins),
        ends=time_of("--to", ends),
        kind=one_of("--kind", kind, files.Kind),
        note=note,
        by=getpass.getuser(),
        created=now,
        expires=None if expires is None else time_of("--expires", expires),
    )
    try:
        stored.check(label)
    except ValueError as error:
        raise MisuseError(
            f"The label cannot be: {error}.", hint="`htmengine labels add --help` says what can."
        ) from None
    with context.database.write() as conn:
        echo_stdout(stored.add(conn, label).id)


def remove(context: Context, ids: Sequence[str]) -> None:
    """Remove labels, all of them or none; what they taught models is taken back."""
    numbers = {id_: stored.number_of(id_) for id_ in ids}
    given = [number for number in numbers.values() if number is not None]
    missing = given
    if len(given) == len(numbers):
        missing = teaching.take_back(context.database, given, by=getpass.getuser(), now=int(time.time()))
    for id_, number in numbers.items():
        if number is None or (number in missing and len(given) == len(numbers)):
            raise MisuseError(
                f"{id_}: there is no label of this id; none was removed.",
                hint="`htmengine labels list` shows them; a verdict is changed with its incident.",
            )
    echo_stderr(f"{counted(len(ids), 'label')} removed.")


def import_(context: Context, path: Path) -> None:
    """Take labels from a file; what cannot be used is told, and the exit code is 1 then."""
    found = files.parsed(sys.stdin.read() if str(path) == "-" else files.text_of(path), str(path))
    faults, now, by = list(found.faults), int(time.time()), getpass.getuser()
    taken = 0
    with context.database.write() as conn:
        before = len(stored.labels(conn, now=now))
        states = metrics.states_by_name(
            conn, sorted({label.metric for _, label in found.labels if label.metric})
        )
        for where, label in found.labels:
            state = states.get(label.metric)
            if label.metric and state is None:
                faults.append(f"{where}: there is no metric {label.metric}")
                continue
            try:
                stored.add(conn, _to_store(label, state and state.uid, by, now))
            except ValueError as error:
                faults.append(f"{where}: {error}")
                continue
            taken += 1
        added = len(stored.labels(conn, now=now)) - before
    for fault in faults:
        echo_stderr(f"{path}: {fault}.")
    print_json({"labels": taken, "new": added, "leftOut": len(faults)})
    if faults:
        raise typer.Exit(1)


def _to_store(label: files.Label, uid: str | None, by: str, now: int) -> Label:
    return Label(
        uid=uid,
        match=label.match,
        begins=int(label.first // 1),
        ends=int(label.last // 1),
        kind=label.kind,
        note=label.note,
        by=label.by or by,
        created=now if label.created is None else int(label.created // 1),
        expires=None if label.expires is None else int(label.expires // 1),
    )


def export(context: Context, *, windows: bool) -> None:
    """Print labels as a CSV or as windows; those of metrics that are gone are left out."""
    found, names = _labels(context, None)
    kept = [stored.in_file(label, names) for label in found if label.uid is None or label.uid in names]
    if not windows:
        echo_stdout(files.as_csv(kept).removesuffix("\n"))
        return
    each: list[files.Label] = []
    for label in kept:
        fits = None if label.match is None else name_patterns.glob(label.match)
        of = [label.metric] if fits is None else [name for name in sorted(names.values()) if fits(name)]
        each += (label._replace(metric=name, match=None) for name in of)
    echo_stdout(files.as_windows(each).removesuffix("\n"))


def _labels(context: Context, uid: str | None) -> tuple[list[Label], dict[str, str]]:
    """Return labels, and the names of all metrics by their uids."""
    with context.database.read() as conn:
        every: Sequence[MetricState] = metrics.custom(conn)
        return stored.labels(conn, now=time.time(), uid=uid), {state.uid: state.name for state in every}


def time_of(option: str, text: str) -> int:
    """Return the time that an option names, in seconds since the epoch. Raises MisuseError."""
    return int(incidents.time_of(text, option=option))
