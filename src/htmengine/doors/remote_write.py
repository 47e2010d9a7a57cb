"""Prometheus remote write 1.0 and 2.0.

A series' name is its label `__name__`, its tags are the other labels. What Prometheus counts (`_total`, and `_sum` and
`_count` of histograms and summaries) is marked as a counter; version 2.0 says itself what a series is. Where sum and
count of a histogram come in one request, its mean becomes a series too: `name.mean`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from enum import Enum, IntEnum
from typing import Any, Final, NamedTuple

from htmengine.doors import names, protobuf
from htmengine.doors.limits import Limits
from htmengine.doors.reasons import MAX_NAME, BadSample, Reason
from htmengine.doors.remembered import MAX_SIZE, remembered
from htmengine.doors.samples import (
    EARLIEST,
    LARGEST,
    LATEST,
    OF_COUNTERS,
    Counters,
    Kind,
    Refusals,
    Samples,
    UnreadableBody,
    check_timestamp,
    check_value,
)

STALE: Final = bytes.fromhex("7ff0000000000002")
"""The bits of the NaN by which Prometheus says that a series has ended."""
NAME: Final = "__name__"

_SAMPLE: Final = [(1, "double", "value"), (2, "int64", "timestamp"), (3, "int64", "start_timestamp")]
_HISTOGRAM: Final = [
    (1, "uint64", "count_int"),
    (2, "double", "count_float"),
    (3, "double", "sum"),
    (14, "int32", "reset_hint"),
    (15, "int64", "timestamp"),
    (17, "int64", "start_timestamp"),
]
_V1: Final = protobuf.Messages(
    "htmengine.remote_write_1",
    {
        "Label": [(1, "string", "name"), (2, "string", "value")],
        "Sample": _SAMPLE[:2],
        "Histogram": _HISTOGRAM[:-1],
        "TimeSeries": [
            (1, "repeated bytes", "labels"),  # decoded once for each that is different
            (2, "repeated Sample", "samples"),
            (4, "repeated Histogram", "histograms"),
        ],
        "WriteRequest": [(1, "repeated TimeSeries", "timeseries")],
    },
)
_V2: Final = protobuf.Messages(
    "htmengine.remote_write_2",
    {
        "Sample": _SAMPLE,
        "Histogram": _HISTOGRAM,
        "Metadata": [(1, "int32", "type")],
        "TimeSeries": [
            (1, "repeated uint32", "labels_refs"),
            (2, "repeated Sample", "samples"),
            (3, "repeated Histogram", "histograms"),
            (5, "Metadata", "metadata"),
        ],
        "Symbols": [(4, "repeated string", "symbols")],
        "Request": [(5, "repeated TimeSeries", "timeseries")],
    },
)
_MAX_SYMBOLS: Final = 1_000_000
_GAUGE_HISTOGRAM: Final = 3
"""A reset hint: the histogram counts no running totals."""


class Version(Enum):
    """Which message a request carries."""

    V1 = "prometheus.WriteRequest"
    V2 = "io.prometheus.write.v2.Request"


class Type(IntEnum):
    """What 2.0 says of a series."""

    UNSPECIFIED = 0
    COUNTER = 1
    GAUGE = 2
    HISTOGRAM = 3
    GAUGE_HISTOGRAM = 4
    SUMMARY = 5
    INFO = 6
    STATE_SET = 7


_COUNTERS: Final = {
    Type.UNSPECIFIED: ("_total", "_sum", "_count"),
    Type.HISTOGRAM: ("_sum", "_count"),
    Type.SUMMARY: ("_sum", "_count"),
}
"""Suffixes of running totals."""
_UNTYPED_COUNTERS: Final = (
    "node_netstat_",
    *("node_vmstat_oom_kill", "node_vmstat_pgfault", "node_vmstat_pgmajfault"),
    *("node_vmstat_pgpg", "node_vmstat_psw"),
)
_UNTYPED_GAUGES: Final = ("_CurrEstab", "_Forwarding")
"""Of node_exporter, which gives them without a type: counters of the kernel, and what is none among them."""


class Received(NamedTuple):
    """What a request says."""

    samples: Samples
    refusals: Refusals
    samples_written: int
    """Of the request: those that are used, and those that are left out on purpose."""
    histograms_written: int


def version(content_type: str) -> Version | None:
    """Return which message a content type names; None for one that is not taken."""
    kind, *parameters = [part.strip().lower() for part in content_type.split(";")]
    if kind != "application/x-protobuf":
        return None
    proto = next((p.removeprefix("proto=").strip('"') for p in parameters if p.startswith("proto=")), None)
    if proto is None:
        return Version.V1
    return next((known for known in Version if known.value.lower() == proto), None)


def parse(
    body: bytes,
    version: Version,
    limits: Limits,
    *,
    drop_labels: frozenset[str] = frozenset(),
    buckets: bool = False,
    counters: Counters = "rate",
) -> Received:
    """Return what a request says, without its compression.

    `drop_labels`: of which names lose these. `buckets`: take the buckets of histograms too.
    `counters`: what becomes of counters.

    Raises UnreadableBody: damaged, or more than the limits allow.
    """
    reading = _Reading(limits.samples, buckets, OF_COUNTERS[counters], starts=version is Version.V2)
    most = limits.samples + _MAX_SYMBOLS
    if version is Version.V1:
        for piece in protobuf.pieces(body, most=most):
            for series in _V1.decoded("WriteRequest", piece).timeseries:
                reading.add(_series(tuple(series.labels), drop_labels), series)
    else:
        symbols: list[str] = []
        for piece in protobuf.pieces(body, most=most):
            symbols += _V2.decoded("Symbols", piece).symbols
        for piece in protobuf.pieces(body, most=most):
            for series in _V2.decoded("Request", piece).timeseries:
                labels = _labels(series.labels_refs, symbols)
                reading.add(_described(labels, _type(series.metadata.type), drop_labels), series)
    reading.add_means()
    return Received(reading.samples, reading.refusals, reading.seen - reading.refused, reading.histograms)


class _Series(NamedTuple):
    """What the labels of a series say."""

    name: str
    """Where it is refused, what its labels are."""
    stem: int
    """Characters of the name that are its base."""
    kind: Kind | None
    """None for a bucket."""
    refused: Reason | None = None
    family: tuple[str, tuple[str, str]] | None = None
    """Of a running sum or count: the suffix, and the base without it and the tags."""


def _described(labels: dict[str, str], kind: Type, drop: frozenset[str]) -> _Series:
    base = labels.pop(NAME, "")
    of = kind_of(base, labels, kind)
    stem = len(base)
    try:
        name = _name(base, labels, drop)
    except BadSample as error:
        return _Series(names.joined(base, labels), stem, of, error.reason)
    family = None
    if of is Kind.COUNTER and base.endswith(("_sum", "_count")):
        suffix = base[base.rindex("_") :]
        family = suffix, (name[: stem - len(suffix)], name[stem:])
    return _Series(name, stem, of, family=family)


def _series(encoded: tuple[bytes, ...], drop: frozenset[str]) -> _Series:
    """Return what labels say by their bytes. Raises UnreadableBody."""
    return (_known if sum(map(len, encoded)) <= MAX_SIZE else _decoded)(encoded, drop)


def _decoded(encoded: tuple[bytes, ...], drop: frozenset[str]) -> _Series:
    labels = (_V1.decoded("Label", label) for label in encoded)
    return _described({label.name: label.value for label in labels}, Type.UNSPECIFIED, drop)


_known = remembered(_decoded)


def _labels(references: Sequence[int], symbols: Sequence[str]) -> dict[str, str]:
    try:
        texts = iter([symbols[reference] for reference in references])
        return dict(zip(texts, texts, strict=True))
    except (IndexError, ValueError):
        raise UnreadableBody(Reason.NOT_DECODABLE, "a label refers to no symbol") from None


def _type(number: int) -> Type:
    try:
        return Type(number)
    except ValueError:  # of a later version
        return Type.UNSPECIFIED


def kind_of(base: str, tags: Mapping[str, str], kind: Type = Type.UNSPECIFIED) -> Kind | None:
    """Return what a series is: as it says itself, or by the suffixes that Prometheus reserves. None for a bucket."""
    if base.endswith("_bucket") and "le" in tags and kind in (Type.UNSPECIFIED, Type.HISTOGRAM):
        return None
    counts = kind is Type.COUNTER or base.endswith(_COUNTERS.get(kind, ()))
    if kind is Type.UNSPECIFIED and not counts:
        counts = base.startswith(_UNTYPED_COUNTERS) and not base.endswith(_UNTYPED_GAUGES)
    return Kind.COUNTER if counts else Kind.GAUGE


def series_name(labels: Mapping[str, str], drop: frozenset[str] = frozenset()) -> str:
    """Return the name of the series with these labels, without those in `drop`. Raises BadSample."""
    tags = dict(labels)
    return _name(tags.pop(NAME, ""), tags, drop)


def _name(base: str, labels: dict[str, str], drop: frozenset[str]) -> str:
    for key in drop:
        labels.pop(key, None)
    if ",__" in "," + ",".join(labels):  # reserved, and rare
        labels = {key: text for key, text in labels.items() if not key.startswith("__")}
    return names.canonical(base, labels)


_Totals = dict[tuple[str, str], dict[float, tuple[float, float | None]]]
"""By the base without its suffix, by the tags and by time: a running total, and when it began."""


class _Reading:
    """A request while it is read."""

    def __init__(self, most: int, buckets: bool, of_counters: Kind, *, starts: bool) -> None:
        self.samples = Samples.empty()
        self.refusals = Refusals()
        self.seen = 0
        """Samples of the request, histograms not counted."""
        self.refused = 0
        self.histograms = 0
        self._most = most
        self._buckets = buckets
        self._of_counters = of_counters
        self._starts = starts
        self._sums: _Totals = {}
        self._counts: _Totals = {}

    def add(self, of: _Series, series: Any) -> None:
        """Take the samples of a series."""
        points, histograms = series.samples, series.histograms
        self.seen += len(points)
        if self.seen + self.histograms > self._most:
            raise UnreadableBody(Reason.TOO_MANY)
        name, stem, kind, refused, family = of
        if kind is None:
            if not self._buckets:
                self.refusals.add(Reason.BUCKET, name[:stem], count=len(points))
                return
            kind = Kind.COUNTER
        if refused:
            self.refused += len(points)
            self.refusals.add(refused, name, count=len(points) + len(histograms))
            return
        totals = None
        counts = kind is Kind.COUNTER
        if counts:
            kind = self._of_counters
            if family:
                totals = (self._sums if family[0] == "_sum" else self._counts).setdefault(family[1], {})
        for point in points:
            value, timestamp = point.value, point.timestamp / 1000
            if not (-LARGEST <= value <= LARGEST and EARLIEST <= timestamp <= LATEST):
                self._add_rare(name, timestamp, value)
                continue
            start = _start(point) if self._starts and counts else None
            self.samples.add(name, timestamp, value + 0.0, kind, start)
            if totals is not None:
                totals[timestamp] = value, start
        for histogram in histograms:
            self._add_histogram(name[:stem], name[stem:], histogram)

    def _add_rare(self, name: str, timestamp: float, value: float) -> None:
        """Take the end of a series, or refuse a sample."""
        reason = check_timestamp(timestamp) or check_value(value)
        if reason is Reason.NOT_FINITE and struct.pack(">d", value) == STALE:
            self.samples.add(name, timestamp, 0.0, Kind.ENDED)
        else:
            self.refused += 1
            self.refusals.add(reason or Reason.NOT_FINITE, f"{name} {value!r} {timestamp!r}")

    def add_means(self) -> None:
        """Add the means of the histograms and summaries whose sums and counts came together."""
        for series, sums in self._sums.items():
            counts = self._counts.get(series, {})
            for timestamp in sorted(sums.keys() & counts.keys()):
                total, start = sums[timestamp]
                self._add_mean(*series, timestamp, total, counts[timestamp][0], start)

    def _add_mean(
        self, stem: str, tags: str, timestamp: float, total: float, count: float, start: float | None
    ) -> None:
        name = f"{stem}.mean{tags}"
        if len(name) <= MAX_NAME:
            self.samples.add(name, timestamp, total, Kind.MEAN, start, count)

    def _add_histogram(self, base: str, tags: str, histogram: Any) -> None:
        """Add rate and mean of a native histogram."""
        self.histograms += 1
        timestamp = histogram.timestamp / 1000
        count = float(histogram.count_int or histogram.count_float)
        reason = check_timestamp(timestamp) or check_value(histogram.sum) or check_value(count)
        rate = f"{base}.rate{tags}"
        if reason or histogram.reset_hint == _GAUGE_HISTOGRAM or len(rate) > MAX_NAME:
            self.refusals.add(Reason.NATIVE_HISTOGRAM, base + tags)
            return
        start = _start(histogram) if self._starts else None
        self.samples.add(rate, timestamp, count, Kind.COUNTER, start)
        self._add_mean(base, tags, timestamp, histogram.sum + 0.0, count, start)


def _start(point: Any) -> float | None:
    """Return when a counter began at 0, if version 2.0 says it."""
    return point.start_timestamp / 1000 if point.start_timestamp else None


# -- Answers


class Answer(NamedTuple):
    """What the sender gets."""

    status: int
    headers: dict[str, str]
    text: str


def answer(received: Received, version: Version) -> Answer:
    """Return the answer to a request whose samples are safe."""
    headers = {}
    if version is Version.V2:
        headers = {
            f"X-Prometheus-Remote-Write-{kind}-Written": str(count)
            for kind, count in (
                ("Samples", received.samples_written),
                ("Histograms", received.histograms_written),
                ("Exemplars", 0),
            )
        }
    if not received.refusals.errors:
        return Answer(204, headers, "")
    lines = [
        f"{reason}: {count}" for reason, count in received.refusals.counts.items() if not reason.by_policy
    ]
    return Answer(400, headers, "\n".join(lines[:10]) + "\n")
