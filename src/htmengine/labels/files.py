"""Labels in files: as CSV, and as windows in the format of the Numenta Anomaly Benchmark.

The CSV has a header and the columns `metric` or `match`, a pattern of names, `from` and `to`, and where it has them `kind`, `note`,
`by`, `created` and `expires`. Windows are a JSON object: by the name of a metric, or of a file whose stem is one, pairs of times.
Times are seconds since the epoch, or ISO 8601, in UTC where they have no zone.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

from htmengine import iso_times
from htmengine.errors import MisuseError

Kind: TypeAlias = Literal["anomaly", "normal", "ignore"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
REQUIRED: Final = ("from", "to")
COLUMNS: Final = ("metric", "match", *REQUIRED, "kind", "note", "by", "created", "expires")
_WINDOWS_HINT: Final = 'Windows are such as {"web.cpu": [["2024-05-01 10:00:00", "2024-05-01 10:30:00"]]}.'
_HINT: Final = "A line is such as web.cpu,2024-05-01T10:00,2024-05-01T10:30,anomaly under the header metric,from,to,kind."


class Label(NamedTuple):
    """A time of a metric, or of those whose names fit a pattern, both ends included, and what it was."""

    metric: str
    """Its name; empty where there is a pattern."""
    first: float
    last: float
    """Seconds since the Unix epoch, UTC."""
    kind: Kind = "anomaly"
    note: str = ""
    match: str | None = None
    """A pattern of names, as in a shell."""
    by: str = ""
    created: float | None = None
    expires: float | None = None


class Parsed(NamedTuple):
    """What a file has."""

    labels: list[tuple[str, Label]]
    """Each with its place in the file."""
    faults: list[str]
    """What was left out: where, and why."""


def read(path: Path) -> list[Label]:
    """Return the labels of a file. Raises MisuseError, which names the first line that is wrong."""
    return parse(text_of(path), str(path))


def text_of(path: Path) -> str:
    """Return what a file of labels has. Raises MisuseError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MisuseError(f"{path}: cannot be read: {reason}.", hint="Name a text file of labels.") from error


def parse(text: str, name: str) -> list[Label]:
    """Return the labels of a text; `name` is that of its file, for messages. Raises MisuseError for the first that is wrong."""
    found = parsed(text, name)
    if found.faults:
        raise MisuseError(f"{name}: {found.faults[0]}.", hint=_WINDOWS_HINT if _has_windows(text) else _HINT)
    return [label for _, label in found.labels]


def parsed(text: str, name: str) -> Parsed:
    """Return the labels of a text, and what cannot be used of it. Raises MisuseError where it is no file of labels."""
    return _windows(text, name) if _has_windows(text) else _rows(text, name)


def _has_windows(text: str) -> bool:
    return text.lstrip().startswith("{")


def as_csv(labels: Iterable[Label]) -> str:
    """Return labels as CSV."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(COLUMNS)
    for label in labels:
        times = (
            "" if time is None else iso_times.text(time)
            for time in (label.first, label.last, label.created, label.expires)
        )
        first, last, created, expires = times
        writer.writerow(
            (label.metric, label.match or "", first, last, label.kind, label.note, label.by, created, expires)
        )
    return written.getvalue()


def as_windows(labels: Iterable[Label]) -> str:
    """Return the anomalies among labels in the benchmark's format."""
    windows: dict[str, list[tuple[str, str]]] = {}
    for label in labels:
        if label.kind == "anomaly":
            ends = (_of_the_benchmark(label.first), _of_the_benchmark(label.last))
            windows.setdefault(label.metric, []).append(ends)
    return json.dumps(windows, indent=4) + "\n"


def _rows(text: str, name: str) -> Parsed:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    given = reader.fieldnames or ()
    missing = [column for column in REQUIRED if column not in given]
    if not {"metric", "match"} & set(given):
        missing.insert(0, "metric")
    if missing:
        raise MisuseError(f"{name}: has no column {', '.join(missing)}.", hint=_HINT)
    found = Parsed([], [])
    while True:
        try:
            row = next(reader, None)
            if row is None:
                return found
            label = _label({column: str(row.get(column) or "").strip() for column in COLUMNS})
        except (ValueError, csv.Error) as error:
            found.faults.append(f"line {reader.line_num}: {error}")
        else:
            found.labels.append((f"line {reader.line_num}", label))


def _windows(text: str, name: str) -> Parsed:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise MisuseError(f"{name}: is no JSON: {error}.", hint=_WINDOWS_HINT) from error
    except RecursionError as error:
        raise MisuseError(f"{name}: is no list of windows.", hint=_WINDOWS_HINT) from error
    found = Parsed([], [])
    for key, windows in document.items():
        metric = Path(key).name.removesuffix(".csv") if key.endswith(".csv") else key
        if not isinstance(windows, list):
            found.faults.append(f"{key}: is no list of windows")
            continue
        for number, window in enumerate(windows, start=1):
            where = f"{key}: window {number}"
            try:
                first, last = window
                label = _label({"metric": metric, "from": first, "to": last})
            except (TypeError, ValueError) as error:
                found.faults.append(f"{where}: {error}")
            else:
                found.labels.append((where, label))
    return found


def _label(given: Mapping[str, Any]) -> Label:
    metric, match = given["metric"].strip(), given.get("match") or None
    if not metric and match is None:
        raise ValueError("names no metric")
    if metric and match is not None:
        raise ValueError("names a metric and a pattern")
    kind = next((one for one in KINDS if one == (given.get("kind") or "anomaly")), None)
    if kind is None:
        raise ValueError(f"the kind {given['kind']!r} is none of {', '.join(KINDS)}")
    begin, end = _time(given["from"]), _time(given["to"])
    if end < begin:
        raise ValueError(f"ends before it begins: {given['to']!r}, {given['from']!r}")
    created, expires = (_time(given[name]) if given.get(name) else None for name in ("created", "expires"))
    return Label(
        metric, begin, end, kind, given.get("note", ""), match, given.get("by", ""), created, expires
    )


def _time(given: Any) -> float:
    if isinstance(given, int | float) and not isinstance(given, bool):
        return float(given)
    text = str(given or "").strip()
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        if math.isfinite(seconds):
            return seconds
    try:
        return iso_times.seconds(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time") from None


def _of_the_benchmark(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
