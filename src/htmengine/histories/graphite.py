"""Histories in Graphite, through its render API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import nan

from htmengine.doors import names
from htmengine.doors.reasons import BadSample
from htmengine.histories.connection import Connection, SourceUnavailable
from htmengine.histories.source import Origin, Points
from htmengine.histories.windows import piecewise


class Graphite:
    """A server with Graphite's API.

    Parameters
    ----------
    patterns : of the names, such as `web.*.cpu`; all series where there are none.
    """

    def __init__(self, connection: Connection, patterns: Sequence[str] = ()) -> None:
        self._connection = connection
        self._patterns = list(patterns)

    def series(self, since: float, until: float) -> Iterator[Origin]:
        """Yield the series."""
        for path in self._paths():
            try:
                yield Origin(names.read(path), path)
            except BadSample:
                continue

    def points(self, origin: Origin, since: float, until: float) -> Iterator[Points]:
        """Yield the samples of a series, in the finest resolution that is kept of each piece of time."""

        def ask(begin: float, end: float) -> Points:
            query = {
                "target": origin.key,
                "from": str(int(begin) - 1),  # which is left out
                "until": str(int(end)),
                "format": "json",
            }
            points = Points([], [])
            document = self._connection.document("/render", query)
            try:
                for series in document:
                    for value, time in series["datapoints"]:
                        points.timestamps.append(float(time))
                        points.values.append(nan if value is None else float(value))
            except (KeyError, TypeError, ValueError):
                raise self._other("/render") from None
            return points

        return piecewise(since, until, ask)

    def _paths(self) -> Iterator[str]:
        for pattern in self._patterns:
            document = self._connection.document("/metrics/expand", {"query": pattern, "leavesOnly": "1"})
            try:
                yield from document["results"]
            except (KeyError, TypeError):
                raise self._other("/metrics/expand") from None
        if not self._patterns:
            document = self._connection.document("/metrics/index.json", {})
            if not isinstance(document, list):
                raise self._other("/metrics/index.json")
            yield from document

    def _other(self, path: str) -> SourceUnavailable:
        return SourceUnavailable(
            f"{self._connection.url}{path} answers with another document than Graphite does.",
            hint="Check the address: it is the one below which /render and /metrics begin.",
        )
