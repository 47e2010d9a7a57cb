"""Labels in files: as CSV, and as windows in the format of the Numenta Anomaly Benchmark.

The CSV has a header and the columns `metric`, `from` and `to`, and where it has them `kind` and `note`. Windows are a JSON
object: by the name of a metric, or of a file whose stem is one, pairs of times. Times are seconds since the epoch, or ISO 8601,
in UTC where they have no zone.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

from htmengine.errors import MisuseError

Kind: TypeAlias = Literal["anomaly", "normal", "ignore"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
REQUIRED: Final = ("metric", "from", "to")
COLUMNS: Final = (*REQUIRED, "kind", "note")
_HINT: Final = "A line is such as web.cpu,2024-05-01T10:00,2024-05-01T10:30,anomaly under the header metric,from,to,kind."


class Label(NamedTuple):
    """A time of a metric, both ends included, and what it was."""

    metric: str
    """Its name."""
    first: float
    last: float
    """Seconds since the Unix epoch, UTC."""
    kind: Kind = "anomaly"
    note: str = ""


def read(path: Path) -> list[Label]:
    """Return the labels of a file. Raises MisuseError, which names the first line that is wrong."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MisuseError(f"{path}: cannot be read: {reason}.", hint="Name a text file of labels.") from error
    return parse(text, str(path))


def parse(text: str, name: str) -> list[Label]:
    """Return the labels of a text; `name` is that of its file, for messages. Raises MisuseError."""
    if text.lstrip().startswith("{"):
        return list(_windows(text, name))
    return list(_rows(text, name))


def as_csv(labels: Iterable[Label]) -> str:
    """Return labels as CSV."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(COLUMNS)
    for label in labels:
        writer.writerow((label.metric, _iso(label.first), _iso(label.last), label.kind, label.note))
    return written.getvalue()


def as_windows(labels: Iterable[Label]) -> str:
    """Return the anomalies among labels in the benchmark's format."""
    windows: dict[str, list[tuple[str, str]]] = {}
    for label in labels:
        if label.kind == "anomaly":
            ends = (_of_the_benchmark(label.first), _of_the_benchmark(label.last))
            windows.setdefault(label.metric, []).append(ends)
    return json.dumps(windows, indent=4) + "\n"


def _rows(text: str, name: str) -> Iterator[Label]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [column for column in REQUIRED if column not in (reader.fieldnames or ())]
    if missing:
        raise MisuseError(f"{name}: has no column {', '.join(missing)}.", hint=_HINT)
    try:
        for row in reader:
            try:
                yield _label(row["metric"], row["from"], row["to"], row.get("kind"), row.get("note"))
            except ValueError as error:
                raise MisuseError(f"{name}: line {reader.line_num}: {error}.", hint=_HINT) from error
    except csv.Error as error:
        raise MisuseError(f"{name}: line {reader.line_num}: {error}.", hint=_HINT) from error


def _windows(text: str, name: str) -> Iterator[Label]:
    hint = 'Windows are such as {"web.cpu": [["2024-05-01 10:00:00", "2024-05-01 10:30:00"]]}.'
    try:
        document = json.loads(text)
    except ValueError as error:
        raise MisuseError(f"{name}: is no JSON: {error}.", hint=hint) from error
    except RecursionError as error:
        raise MisuseError(f"{name}: is no list of windows.", hint=hint) from error
    for key, windows in document.items():
        metric = Path(key).name.removesuffix(".csv") if key.endswith(".csv") else key
        if not isinstance(windows, list):
            raise MisuseError(f"{name}: {key}: is no list of windows.", hint=hint)
        for number, window in enumerate(windows, start=1):
            try:
                first, last = window
                yield _label(metric, first, last, "anomaly", "")
            except (TypeError, ValueError) as error:
                raise MisuseError(f"{name}: {key}: window {number}: {error}.", hint=hint) from error


def _label(metric: Any, first: Any, last: Any, kind: Any, note: Any) -> Label:
    if not isinstance(metric, str) or not metric.strip():
        raise ValueError("names no metric")
    found = kind.strip() if isinstance(kind, str) else ""
    if found and found not in KINDS:
        raise ValueError(f"the kind {found!r} is none of {', '.join(KINDS)}")
    begin, end = _time(first), _time(last)
    if end < begin:
        raise ValueError(f"ends before it begins: {last!r}, {first!r}")
    return Label(metric.strip(), begin, end, found or "anomaly", (note or "").strip())


def _time(given: Any) -> float:
    if isinstance(given, int | float) and not isinstance(given, bool):
        return float(given)
    text = str(given or "").strip()
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _of_the_benchmark(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
