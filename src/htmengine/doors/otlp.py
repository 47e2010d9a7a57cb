"""OpenTelemetry's metrics over HTTP, as Protocol Buffers or JSON.

A series' name is that of its metric; its tags are the attributes of the data point and some of the resource. Running
totals are marked as counters, with their start time; what an exporter sends as increments becomes a rate here. Of a
histogram there are `.rate` and `.mean`, and `.p50`, `.p95` and `.p99` where its buckets count increments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from htmengine.doors import names, protobuf
from htmengine.doors.limits import Limits
from htmengine.doors.reasons import BadSample, Reason
from htmengine.doors.samples import (
    OF_COUNTERS,
    Counters,
    Kind,
    Parsed,
    Refusals,
    Samples,
    UnreadableBody,
    check_timestamp,
    check_value,
    in_seconds,
)

QUANTILES: Final = (0.5, 0.95, 0.99)

_NS: Final = 10**9
_NO_RECORDED_VALUE: Final = 1
_DELTA: Final = 1
_MAX_FIELDS: Final = 1_000_000
_MAX_SCALE: Final = 20
_INVALID_ARGUMENT: Final = 3
_RPC_CODES: Final = {413: 8, 401: 16, 403: 7, 503: 14}
"""Codes of gRPC, which stand in an error's body, by HTTP's."""


class Encoding(Enum):
    """How a request and its answer are written."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


def encoding(content_type: str) -> Encoding | None:
    """Return the encoding that a content type names; None for one that is not taken."""
    kind = content_type.partition(";")[0].strip().lower()
    return next((known for known in Encoding if known.value == kind), None)


# -- What a request looks like: once for each encoding, with the same names

_POINT: Final = [(2, "fixed64", "start_time_unix_nano"), (3, "fixed64", "time_unix_nano")]
_PROTOBUF: Final = protobuf.Messages(
    "htmengine.otlp",
    {
        "AnyValue": [
            (1, "optional string", "string_value"),
            (2, "optional bool", "bool_value"),
            (3, "optional int64", "int_value"),
            (4, "optional double", "double_value"),
        ],
        "KeyValue": [(1, "string", "key"), (2, "AnyValue", "value")],
        "NumberPoint": [
            *_POINT,
            (4, "double", "as_double"),
            (6, "sfixed64", "as_int"),
            (7, "repeated KeyValue", "attributes"),
            (8, "uint32", "flags"),
        ],
        "HistogramPoint": [
            *_POINT,
            (4, "fixed64", "count"),
            (5, "optional double", "sum"),
            (6, "repeated fixed64", "bucket_counts"),
            (7, "repeated double", "explicit_bounds"),
            (9, "repeated KeyValue", "attributes"),
            (10, "uint32", "flags"),
        ],
        "Buckets": [(1, "sint32", "offset"), (2, "repeated uint64", "bucket_counts")],
        "ExponentialPoint": [
            *_POINT,
            (1, "repeated KeyValue", "attributes"),
            (4, "fixed64", "count"),
            (5, "optional double", "sum"),
            (6, "sint32", "scale"),
            (7, "fixed64", "zero_count"),
            (8, "Buckets", "positive"),
            (9, "Buckets", "negative"),
            (10, "uint32", "flags"),
        ],
        "Quantile": [(1, "double", "quantile"), (2, "double", "value")],
        "SummaryPoint": [
            *_POINT,
            (4, "fixed64", "count"),
            (5, "optional double", "sum"),
            (6, "repeated Quantile", "quantile_values"),
            (7, "repeated KeyValue", "attributes"),
            (8, "uint32", "flags"),
        ],
        "Gauge": [(1, "repeated NumberPoint", "data_points")],
        "Sum": [
            (1, "repeated NumberPoint", "data_points"),
            (2, "int32", "aggregation_temporality"),
            (3, "bool", "is_monotonic"),
        ],
        "Histogram": [
            (1, "repeated HistogramPoint", "data_points"),
            (2, "int32", "aggregation_temporality"),
        ],
        "Exponential": [
            (1, "repeated ExponentialPoint", "data_points"),
            (2, "int32", "aggregation_temporality"),
        ],
        "Summary": [(1, "repeated SummaryPoint", "data_points")],
        "Metric": [
            (1, "string", "name"),
            (5, "Gauge", "gauge"),
            (7, "Sum", "sum"),
            (9, "Histogram", "histogram"),
            (10, "Exponential", "exponential_histogram"),
            (11, "Summary", "summary"),
        ],
        "Resource": [(1, "repeated KeyValue", "attributes")],
        # What holds much is left undecoded at first: it is decoded metric by metric.
        "ScopeMetrics": [(2, "repeated bytes", "metrics")],
        "ResourceMetrics": [(1, "Resource", "resource"), (2, "repeated bytes", "scope_metrics")],
        "Request": [(1, "repeated bytes", "resource_metrics")],
        "PartialSuccess": [(1, "int64", "rejected_data_points"), (2, "string", "error_message")],
        "Response": [(1, "PartialSuccess", "partial_success")],
        "Status": [(1, "int32", "code"), (2, "string", "message")],
    },
)


class _Json(msgspec.Struct, frozen=True, rename="camel"):
    def HasField(self, name: str) -> bool:  # noqa: N802  # as the messages of Protocol Buffers
        return getattr(self, name) is not None


class _AnyValue(_Json, frozen=True):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | None = None
    double_value: float | None = None


class _KeyValue(_Json, frozen=True):
    key: str = ""
    value: _AnyValue = _AnyValue()


class _Point(_Json, frozen=True):
    attributes: list[_KeyValue] = []
    start_time_unix_nano: int = 0
    time_unix_nano: int = 0
    flags: int = 0


class _NumberPoint(_Point, frozen=True):
    as_double: float = 0.0
    as_int: int = 0


class _Totals(_Point, frozen=True):
    count: int = 0
    sum: float | None = None


class _HistogramPoint(_Totals, frozen=True):
    bucket_counts: list[int] = []
    explicit_bounds: list[float] = []


class _Buckets(_Json, frozen=True):
    offset: int = 0
    bucket_counts: list[int] = []


class _ExponentialPoint(_Totals, frozen=True):
    scale: int = 0
    zero_count: int = 0
    positive: _Buckets = _Buckets()
    negative: _Buckets = _Buckets()


class _Quantile(_Json, frozen=True):
    quantile: float = 0.0
    value: float = 0.0


class _SummaryPoint(_Totals, frozen=True):
    quantile_values: list[_Quantile] = []


class _Gauge(_Json, frozen=True):
    data_points: list[_NumberPoint] = []


class _Sum(_Gauge, frozen=True):
    aggregation_temporality: int = 0
    is_monotonic: bool = False


class _Histogram(_Json, frozen=True):
    data_points: list[_HistogramPoint] = []
    aggregation_temporality: int = 0


class _Exponential(_Json, frozen=True):
    data_points: list[_ExponentialPoint] = []
    aggregation_temporality: int = 0


class _Summary(_Json, frozen=True):
    data_points: list[_SummaryPoint] = []


class _Metric(_Json, frozen=True):
    name: str = ""
    gauge: _Gauge = _Gauge()
    sum: _Sum = _Sum()
    histogram: _Histogram = _Histogram()
    exponential_histogram: _Exponential = _Exponential()
    summary: _Summary = _Summary()


class _Resource(_Json, frozen=True):
    attributes: list[_KeyValue] = []


class _ScopeMetrics(_Json, frozen=True):
    metrics: list[_Metric] = []


class _ResourceMetrics(_Json, frozen=True):
    resource: _Resource = _Resource()
    scope_metrics: list[_ScopeMetrics] = []


class _Request(_Json, frozen=True):
    resource_metrics: list[_ResourceMetrics] = []


_DECODER: Final = msgspec.json.Decoder(_Request, strict=False)  # 64-bit numbers come as texts


def _from_json(body: bytes) -> Iterator[tuple[Sequence[Any], Any]]:
    """Yield attributes of the resource and metric. Raises UnreadableBody."""
    try:
        request = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableBody(Reason.NOT_DECODABLE, str(error)) from None
    for of_resource in request.resource_metrics:
        for scope in of_resource.scope_metrics:
            for metric in scope.metrics:
                yield of_resource.resource.attributes, metric


def _from_protobuf(body: bytes) -> Iterator[tuple[Sequence[Any], Any]]:
    """Yield attributes of the resource and metric. Raises UnreadableBody."""

    def within(outer: bytes, message: str) -> Iterator[Any]:
        for piece in protobuf.pieces(outer, most=_MAX_FIELDS, longest=len(body)):
            yield _PROTOBUF.decoded(message, piece)

    for request in within(body, "Request"):
        for outer in request.resource_metrics:
            parts = list(within(outer, "ResourceMetrics"))
            attributes = [one for part in parts for one in part.resource.attributes]
            for part in parts:
                for inner in part.scope_metrics:
                    for scope in within(inner, "ScopeMetrics"):
                        for metric in scope.metrics:
                            if len(metric) > protobuf.MAX_RECORD:
                                raise UnreadableBody(Reason.TOO_LARGE, f"a metric of {len(metric)} bytes")
                            yield attributes, _PROTOBUF.decoded("Metric", metric)


# -- What it means


def parse(
    body: bytes,
    encoding: Encoding,
    limits: Limits,
    *,
    resource_attributes: Iterable[str],
    counters: Counters = "rate",
) -> Parsed:
    """Return the samples of a request.

    `resource_attributes`: of the resource, those that become tags. `counters`: what becomes of sums that only grow.

    Raises UnreadableBody: it cannot be decoded, or is more than the limits allow.
    """
    reading = _Reading(limits.samples, counters)
    chosen = frozenset(resource_attributes)
    last: Any = None
    of_resource: dict[str, str] = {}
    for attributes, metric in (_from_json if encoding is Encoding.JSON else _from_protobuf)(body):
        if attributes is not last:
            last = attributes
            of_resource = {key: text for key, text in _tags(attributes).items() if key in chosen}
        reading.add(metric, of_resource)
    return Parsed(reading.samples, reading.refusals)


def _tags(attributes: Iterable[Any]) -> dict[str, str]:
    """Return attributes as tags; lists and maps are dropped."""
    tags = {}
    for attribute in attributes:
        value = attribute.value
        if value.HasField("string_value"):
            tags[attribute.key] = value.string_value
        elif value.HasField("bool_value"):
            tags[attribute.key] = "true" if value.bool_value else "false"
        elif value.HasField("int_value"):
            tags[attribute.key] = str(value.int_value)
        elif value.HasField("double_value"):
            tags[attribute.key] = repr(value.double_value)
    return tags


class _Reading:
    """A request while it is read."""

    def __init__(self, most: int, counters: Counters) -> None:
        self._sum = partial(_sum, counters)
        self.samples = Samples.empty()
        self.refusals = Refusals()
        self._most = most

    def add(self, metric: Any, of_resource: dict[str, str]) -> None:
        """Take the data points of a metric."""
        self._add(metric, metric.gauge, of_resource, _gauge, ("",))
        self._add(metric, metric.sum, of_resource, self._sum, ("",))
        self._add(metric, metric.histogram, of_resource, _histogram, (".rate", ".mean"))
        self._add(metric, metric.exponential_histogram, of_resource, _exponential, (".rate", ".mean"))
        self._add(metric, metric.summary, of_resource, _summary, (".rate", ".mean"))
        if len(self.samples.names) > self._most:
            raise UnreadableBody(Reason.TOO_MANY)

    def _add(
        self, metric: Any, data: Any, of_resource: dict[str, str], read: _Read, endings: Sequence[str]
    ) -> None:
        """`endings`: of the series that have ended where a point says so."""
        for point in data.data_points:
            try:
                time = in_seconds(point.time_unix_nano, _NS)
                if reason := check_timestamp(time):
                    raise BadSample(reason)
                tags = of_resource | _tags(point.attributes)
                if point.flags & _NO_RECORDED_VALUE:
                    found = [_Found(ending, 0.0, Kind.ENDED) for ending in endings]
                else:
                    found = list(read(data, point, time))
                if reason := next(filter(None, (check_value(one.value) for one in found)), None):
                    raise BadSample(reason)
                named = [
                    (names.canonical(metric.name + one.ending if metric.name else "", tags), one)
                    for one in found
                ]
            except BadSample as error:
                self.refusals.add(error.reason, names.joined(metric.name, of_resource))
                continue
            for name, one in named:
                self.samples.add(name, time, one.value + 0.0, one.kind, one.start, one.divisor)


class _Found(NamedTuple):
    """A sample of a data point."""

    ending: str
    """Of its name, behind that of the metric."""
    value: float
    kind: Kind = Kind.GAUGE
    start: float | None = None
    divisor: float | None = None


_Read = Callable[[Any, Any, float], Iterable[_Found]]
"""Reads a data point: its kind of data, the point, its time in seconds."""


def _start(point: Any) -> float | None:
    ticks = point.start_time_unix_nano
    return in_seconds(ticks, _NS) if ticks else None


def _duration(point: Any, time: float) -> float:
    """Return the seconds in which an increment came together. Raises BadSample."""
    start = _start(point)
    if start is None or start >= time:
        raise BadSample(Reason.NO_START)
    return time - start


def _gauge(data: Any, point: Any, time: float) -> Iterator[_Found]:
    yield _Found("", float(point.as_double or point.as_int))


def _sum(counters: Counters, data: Any, point: Any, time: float) -> Iterator[_Found]:
    value = float(point.as_double or point.as_int)
    if not data.is_monotonic:
        yield _Found("", value)
    elif data.aggregation_temporality == _DELTA:
        yield _Found("", value / _duration(point, time) if counters == "rate" else value)
    else:
        yield _Found("", value, OF_COUNTERS[counters], None if counters == "raw" else _start(point))


def _totals(data: Any, point: Any, time: float) -> Iterator[_Found]:
    """Yield rate and mean of what has a count, and a sum perhaps."""
    count, has_sum = float(point.count), point.HasField("sum")
    if getattr(data, "aggregation_temporality", 0) == _DELTA:
        yield _Found(".rate", count / _duration(point, time))
        if has_sum and count:
            yield _Found(".mean", point.sum / count)
        return
    start = _start(point)
    yield _Found(".rate", count, Kind.COUNTER, start)
    if has_sum:
        yield _Found(".mean", point.sum, Kind.MEAN, start, count)


def _histogram(data: Any, point: Any, time: float) -> Iterator[_Found]:
    yield from _totals(data, point, time)
    counts, bounds = list(point.bucket_counts), list(point.explicit_bounds)
    if data.aggregation_temporality != _DELTA or not bounds:
        return
    if len(counts) != len(bounds) + 1:
        raise BadSample(Reason.BUCKETS)
    # Of the first and the last bucket only one bound is known.
    edges = [bounds[0], *bounds, bounds[-1]]
    yield from _quantiles(list(zip(edges[:-1], edges[1:], counts, strict=True)))


def _exponential(data: Any, point: Any, time: float) -> Iterator[_Found]:
    yield from _totals(data, point, time)
    if data.aggregation_temporality != _DELTA:
        return
    step = math.log(2) * 2.0**-point.scale if abs(point.scale) <= _MAX_SCALE else math.inf
    negative = [(-high, -low, count) for low, high, count in _buckets(point.negative, step)]
    yield from _quantiles(
        [*reversed(negative), (0.0, 0.0, point.zero_count), *_buckets(point.positive, step)]
    )


def _buckets(buckets: Any, step: float) -> Iterator[tuple[float, float, int]]:
    """Yield bounds and count of the buckets of one sign. Raises BadSample."""
    for index, count in enumerate(buckets.bucket_counts, start=buckets.offset):
        if count:
            try:
                yield math.exp(index * step), math.exp((index + 1) * step), count
            except OverflowError:
                raise BadSample(Reason.NOT_FINITE) from None


def _quantiles(buckets: Sequence[tuple[float, float, int]]) -> Iterator[_Found]:
    """Yield quantiles, between the bounds of a bucket by straight lines."""
    total = sum(count for _, _, count in buckets)
    if not total:
        return
    for quantile in QUANTILES:
        rank, below = quantile * total, 0
        for low, high, count in buckets:
            if count and below + count >= rank:
                yield _Found(_percentile(quantile), low + (high - low) * (rank - below) / count)
                break
            below += count


def _percentile(quantile: float) -> str:
    return f".p{quantile * 100:g}".replace(".", "_").replace("_", ".", 1)


def _summary(data: Any, point: Any, time: float) -> Iterator[_Found]:
    yield from _totals(data, point, time)
    for one in point.quantile_values:
        if not 0 <= one.quantile <= 1:
            raise BadSample(Reason.VALUE)
        yield _Found(_percentile(one.quantile), one.value)


# -- Answers


class Answer(NamedTuple):
    """What the exporter gets, in the encoding of its request."""

    status: int
    content_type: str
    body: bytes


def answer(parsed: Parsed, encoding: Encoding) -> Answer:
    """Return the answer to a request whose samples are safe: 200, even where points were refused, which are counted."""
    rejected = parsed.refusals.errors
    said = "; ".join(
        f"{reason}: {count}" for reason, count in parsed.refusals.counts.items() if not reason.by_policy
    )
    if encoding is Encoding.JSON:
        partial = {"partialSuccess": {"rejectedDataPoints": str(rejected), "errorMessage": said}}
        body = msgspec.json.encode(partial if rejected else {})
    else:
        partial_success = _PROTOBUF.classes["PartialSuccess"](
            rejected_data_points=rejected, error_message=said
        )
        response = (
            _PROTOBUF.classes["Response"](partial_success=partial_success)
            if rejected
            else _PROTOBUF.classes["Response"]()
        )
        body = response.SerializeToString()
    return Answer(200, encoding.value, body)


def failure(status: int, message: str, encoding: Encoding) -> Answer:
    """Return an answer for a request of which nothing is taken. 400 and 413 are final, after 503 it is sent again."""
    code = _RPC_CODES.get(status, _INVALID_ARGUMENT)
    if encoding is Encoding.JSON:
        body = msgspec.json.encode({"code": code, "message": message})
    else:
        body = _PROTOBUF.classes["Status"](code=code, message=message).SerializeToString()
    return Answer(status, encoding.value, body)
