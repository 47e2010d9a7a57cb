"""Histories in InfluxDB, through the query API of version 1, which versions 2 and 3 have, too.

A field of a series has the name that it has when it comes in by the line protocol.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import nan
from typing import Any, Final, NamedTuple

from htmengine.doors import influx
from htmengine.doors.reasons import BadSample
from htmengine.histories.connection import Connection, SourceUnavailable
from htmengine.histories.source import Origin, Points
from htmengine.runtime.metric_storer import name_patterns

PIECE: Final = 10_000
"""Samples that are asked for at once."""
NUMERIC: Final = ("float", "integer", "unsigned", "boolean")


class _Field(NamedTuple):
    measurement: str
    tags: Mapping[str, str]
    """All of the measurement; empty where the series has none."""
    field: str


class InfluxDB:
    """A database of an InfluxDB server.

    Parameters
    ----------
    patterns : of measurements, such as `cpu*`; all where there are none.
    retention_policy : the database's default where none is given.
    """

    def __init__(
        self,
        connection: Connection,
        database: str,
        patterns: Sequence[str] = (),
        *,
        retention_policy: str | None = None,
    ) -> None:
        self._connection = connection
        self._database = database
        self._fits = [name_patterns.glob(pattern) for pattern in patterns]
        self._retention_policy = retention_policy

    def series(self, since: float, until: float) -> Iterator[Origin]:
        """Yield the numeric fields of the series."""
        for (measurement,) in self._rows("SHOW MEASUREMENTS"):
            if self._fits and not any(fits(measurement) for fits in self._fits):
                continue
            place = _quoted(measurement)
            fields = [field for field, kind in self._rows(f"SHOW FIELD KEYS FROM {place}") if kind in NUMERIC]
            keys = [key for (key,) in self._rows(f"SHOW TAG KEYS FROM {place}")]
            for (head,) in self._rows(f"SHOW SERIES FROM {place}"):
                for field in fields:
                    try:
                        _, tags = influx.measurement_of(head)
                        name = influx.series_name(measurement, tags, field)
                    except BadSample:
                        continue
                    yield Origin(name, _Field(measurement, {**dict.fromkeys(keys, ""), **tags}, field))

    def points(self, origin: Origin, since: float, until: float) -> Iterator[Points]:
        """Yield the samples of a series."""
        key: _Field = origin.key
        place = f"{_quoted(self._retention_policy)}." if self._retention_policy else ""
        query = f"SELECT {_quoted(key.field)} FROM {place}{_quoted(key.measurement)}"
        conditions = [f"{_quoted(tag)} = {_text(text)}" for tag, text in key.tags.items()]
        begin, last = int(since * 1000), int(until * 1000)
        while True:
            conditions_now = [f"time >= {begin}ms", f"time <= {last}ms", *conditions]
            rows = list(
                self._rows(f"{query} WHERE {' AND '.join(conditions_now)} ORDER BY time LIMIT {PIECE}")
            )
            if rows:
                yield Points([ticks / 1000 for ticks, _ in rows], [_value(value) for _, value in rows])
            if len(rows) < PIECE:
                return
            begin = rows[-1][0] + 1

    def _rows(self, query: str) -> Iterator[list[Any]]:
        document = self._connection.document("/query", {"db": self._database, "q": query, "epoch": "ms"})
        try:
            (result,) = document["results"]
            if "error" in result:
                raise SourceUnavailable(
                    f"{self._connection.url}: {query}: {result['error']}.",
                    hint="Check --database and --retention-policy, and what this user may read.",
                )
            for series in result.get("series", ()):
                yield from series["values"]
        except (KeyError, TypeError, ValueError):
            raise SourceUnavailable(
                f"{self._connection.url}/query answers with another document than InfluxDB does.",
                hint="Check the address: it is the one below which /query lies.",
            ) from None


def _quoted(name: str | None) -> str:
    escaped = (name or "").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def _value(value: object) -> float:
    return float(value) if isinstance(value, int | float) else nan
