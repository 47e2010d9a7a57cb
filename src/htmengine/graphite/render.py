"""What a request to /render asks for, and the answer: JSON, CSV, or Graphite's raw form."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import numpy as np

from htmengine.graphite import target, times
from htmengine.graphite.evaluation import Evaluator, Limits, Reader, Source
from htmengine.graphite.series import Grid, Series, in_points
from htmengine.graphite.target import TargetError

MAX_TARGETS: Final = 2000
DAY_S: Final = 86400
FORMATS: Final = ("json", "csv", "raw")
_TYPES: Final = {"json": "application/json", "csv": "text/csv", "raw": "text/plain"}


class Request(NamedTuple):
    """What is asked for."""

    targets: Sequence[str]
    start: int
    """Seconds since the epoch. The slots behind it are wanted."""
    end: int
    """Up to this one."""
    format: str = "json"
    max_points: int = 0
    """For each series; 0: as many as there are."""
    leave_out_nulls: bool = False


class Answer(NamedTuple):
    """What is answered."""

    content_type: str
    body: bytes


def read(fields: Mapping[str, Sequence[str]], now: float) -> Request:
    """Return what the fields of a form ask for, of each of which the last value counts. Raises TargetError."""

    def last(name: str, default: str = "") -> str:
        values = fields.get(name)
        return values[-1] if values else default

    if "jsonp" in fields:
        raise TargetError("jsonp is not offered")
    targets = [one for one in (*fields.get("target", ()), *fields.get("target[]", ())) if one.strip()]
    if len(targets) > MAX_TARGETS:
        raise TargetError(
            f"{len(targets):,} targets are more than {MAX_TARGETS:,}: ask for some of them at a time"
        )
    form = last("format", "json").lower()
    if form not in FORMATS:
        raise TargetError(f"format {form[:20]!r} is not offered; there are {', '.join(FORMATS)}")
    zone = zone_of(last("tz"))
    start = time_of("from", last("from"), now, zone, now - DAY_S)
    end = time_of("until", last("until"), now, zone, now)
    if start == end:
        raise TargetError(f"from and until are the same time, {start}")
    return Request(
        targets=targets,
        start=min(start, end),
        end=max(start, end),
        format=form,
        max_points=_points(last("maxDataPoints")),
        leave_out_nulls=last("noNullPoints").lower() in ("true", "1"),
    )


def zone_of(name: str) -> tzinfo:
    """Return the time zone of a name; UTC where none is given. Raises TargetError."""
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise TargetError(f"tz {name[:50]!r} is no time zone such as Europe/Berlin") from None


def time_of(field: str, text: str, now: float, zone: tzinfo, default: float) -> int:
    """Return a time in seconds since the epoch. Raises TargetError, which names the field."""
    if not text.strip():
        return int(default)
    try:
        return times.parse_time(text, now, zone)
    except ValueError as error:
        raise TargetError(f"{field}: {error}") from None


def _points(text: str) -> int:
    if not text.strip():
        return 0
    try:
        number = float(text)
        if not 0 < number < 1e9:
            raise ValueError
    except ValueError:
        raise TargetError(f"maxDataPoints {text[:20]!r} is no number of points") from None
    return max(1, int(number))


def evaluated(request: Request, source: Source, limits: Limits | None = None) -> list[Series]:
    """Return the series that are asked for. Raises TargetError, which names the target, or RenderTimeout."""
    evaluator = Evaluator(Reader(source, limits or Limits()), request.start, request.end)
    expressions = []
    for text in request.targets:
        with _naming(text, request):
            expression = target.parse(text)
            evaluator.prepare([expression])
            expressions.append(expression)
    found = []
    for text, expression in zip(request.targets, expressions, strict=True):
        with _naming(text, request):
            series = evaluator.evaluate(expression)
            for one in series:
                evaluator.reader.check()
                _ = one.grid
            found += series
    return found


class _naming:  # noqa: N801  (used like a function)
    """Names the target in an error, where there are several or it is short."""

    def __init__(self, text: str, request: Request) -> None:
        self._text = text if len(text) <= 200 else f"{text[:200]}…"

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Add the target."""
        if isinstance(error, TargetError):
            raise TargetError(f"{error}; in the target {self._text}") from None


def rendered(request: Request, source: Source, limits: Limits | None = None) -> Answer:
    """Return the answer to a request. Raises TargetError or RenderTimeout."""
    series = evaluated(request, source, limits)
    points = [
        (one, in_points(one.grid, request.max_points, one.consolidation) if request.max_points else one.grid)
        for one in series
    ]
    body = {"json": _json, "csv": _csv, "raw": _raw}[request.format](points, request)
    return Answer(_TYPES[request.format], body)


def _numbers(grid: Grid) -> list[float | None]:
    finite: list[float | None] = np.where(np.isfinite(grid.values), grid.values, np.nan).tolist()
    if np.isnan(grid.values).any() or np.isinf(grid.values).any():
        return [None if number != number else number for number in finite]
    return finite


def _times(grid: Grid) -> list[int]:
    return list(range(grid.start, grid.start + grid.step * len(grid.values), grid.step))


def _json(points: Sequence[tuple[Series, Grid]], request: Request) -> bytes:
    encoder = msgspec.json.Encoder()
    parts = []
    for series, grid in points:
        pairs = zip(_numbers(grid), _times(grid), strict=True)
        if request.leave_out_nulls:
            pairs = ((number, at) for number, at in pairs if number is not None)  # type: ignore[assignment]
        parts.append(encoder.encode({"target": series.name, "tags": series.tags, "datapoints": list(pairs)}))
    return b"[" + b",".join(parts) + b"]"


def _csv(points: Sequence[tuple[Series, Grid]], request: Request) -> bytes:
    lines = []
    for series, grid in points:
        name = (
            f'"{series.name.replace(chr(34), chr(34) * 2)}"'
            if set(series.name) & set(',"\n\r')
            else series.name
        )
        for number, at in zip(_numbers(grid), _times(grid), strict=True):
            when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
            lines.append(f"{name},{when},{'' if number is None else _text(number)}\r\n")
    return "".join(lines).encode()


def _raw(points: Sequence[tuple[Series, Grid]], request: Request) -> bytes:
    lines = []
    for series, grid in points:
        numbers = ",".join("None" if number is None else _text(number) for number in _numbers(grid))
        end = grid.start + grid.step * len(grid.values)
        lines.append(f"{series.name},{grid.start},{end},{grid.step}|{numbers}\n")
    return "".join(lines).encode()


def _text(number: float) -> str:
    return str(int(number)) if number == math.floor(number) and abs(number) < 1e15 else repr(number)
