"""Histories in Prometheus, and whatever else answers its API: the samples as they were scraped, not interpolated.

A series has the name that it has when it comes in by remote write, and what counts there is a counter here, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import nan
from typing import Any, Final, TypeVar

from htmengine.doors import remote_write
from htmengine.doors.reasons import BadSample
from htmengine.histories.connection import Connection, Query, SourceUnavailable
from htmengine.histories.source import Origin, Points
from htmengine.histories.windows import piecewise

T = TypeVar("T")

EVERYTHING: Final = '{__name__!=""}'
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Prometheus:
    """A Prometheus server.

    Parameters
    ----------
    selectors : of the series, such as `{job="node"}`; all of them together.
    drop_labels : names lose these, as those of series that come in by remote write do.
    """

    def __init__(
        self, connection: Connection, selectors: Sequence[str] = (), *, drop_labels: Sequence[str] = ()
    ) -> None:
        self._connection = connection
        self._selectors = list(selectors) or [EVERYTHING]
        self._drop = frozenset(drop_labels)

    def series(self, since: float, until: float) -> Iterator[Origin]:
        """Yield the series; buckets of histograms are left out."""
        query = [
            *(("match[]", selector) for selector in self._selectors),
            ("start", repr(since)),
            ("end", repr(until)),
        ]
        for labels in self._data("/api/v1/series", query, list):
            kind = remote_write.kind_of(labels.get(remote_write.NAME, ""), labels)
            if kind is None:
                continue
            try:
                name = remote_write.series_name(labels, self._drop)
            except BadSample:
                continue
            yield Origin(name, labels, kind)

    def points(self, origin: Origin, since: float, until: float) -> Iterator[Points]:
        """Yield the samples of a series."""
        selector = selector_of(origin.key)

        def ask(begin: float, end: float) -> Points:
            span = max(1, round(1000 * (end - begin)) + 1)  # a range is open at its begin
            query = {"query": f"{selector}[{span}ms]", "time": repr(end)}
            points = Points([], [])
            for series in self._data("/api/v1/query", query, dict).get("result", ()):
                for time, text in series["values"]:
                    points.timestamps.append(float(time))
                    points.values.append(_value(text))
            return points

        return piecewise(since, until, ask)

    def _data(self, path: str, query: Query, kind: type[T]) -> T:
        document = self._connection.document(path, query)
        data = document.get("data") if isinstance(document, dict) else None
        if not isinstance(data, kind):
            raise SourceUnavailable(
                f"{self._connection.url}{path} answers with another document than Prometheus does.",
                hint="Check the address: it is the one below which /api/v1 begins.",
            )
        return data


def selector_of(labels: Mapping[str, str]) -> str:
    """Return the selector that finds exactly the series with these labels."""
    return (
        "{"
        + ",".join(f'{_key(key)}="{text.translate(_ESCAPES)}"' for key, text in sorted(labels.items()))
        + "}"
    )


def _key(key: str) -> str:
    plain = key.isascii() and key.replace("_", "a").isalnum() and not key[0].isdigit()
    return key if plain else f'"{key.translate(_ESCAPES)}"'


def _value(text: Any) -> float:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return nan
    return value if abs(value) != float("inf") else nan


class VictoriaMetrics(Prometheus):
    """VictoriaMetrics, which exports the samples of a series at once."""

    def points(self, origin: Origin, since: float, until: float) -> Iterator[Points]:
        """Yield the samples of a series."""
        selector = selector_of(origin.key)

        def ask(begin: float, end: float) -> Points:
            query = {"match[]": selector, "start": repr(begin), "end": repr(end)}
            found: list[tuple[float, float]] = []
            for line in self._connection.lines("/api/v1/export", query):
                found += zip(
                    (ticks / 1000 for ticks in line["timestamps"]), map(_value, line["values"]), strict=True
                )
            found.sort(key=lambda point: point[0])
            return Points([time for time, _ in found], [value for _, value in found])

        return piecewise(since, until, ask)
