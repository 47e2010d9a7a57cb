import json
import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine import config
from htmengine.doors.limits import Limits
from htmengine.doors.otlp import Encoding, answer, encoding, failure, parse
from htmengine.doors.reasons import Reason
from htmengine.doors.samples import Kind, UnreadableBody

proto = pytest.importorskip(
    "opentelemetry.proto.collector.metrics.v1.metrics_service_pb2", reason="no opentelemetry-proto"
)
json_format = pytest.importorskip("google.protobuf.json_format")

LIMITS = Limits()
DEFAULT = {"resource_attributes": config.Doors().resource_attributes}
START, TIME = 1_700_000_000, 1_700_000_060
DELTA, CUMULATIVE = 1, 2


def point(**fields):
    """Return a data point as JSON, 64-bit numbers as texts."""
    return {"startTimeUnixNano": f"{START}000000000", "timeUnixNano": f"{TIME}500000000", **fields}


def tagged(**tags):
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    return [
        {"key": key, "value": {kinds[type(v)]: str(v) if type(v) is int else v}} for key, v in tags.items()
    ]


def request(*metrics, **resource):
    return {
        "resourceMetrics": [
            {
                "resource": {"attributes": tagged(**resource)},
                "scopeMetrics": [{"scope": {"name": "s", "version": "1"}, "metrics": list(metrics)}],
            }
        ]
    }


def both(document, **options):
    """Read a request in both encodings, which must say the same."""
    options = DEFAULT | options
    body = json.dumps(document).encode()
    encoded = json_format.Parse(body, proto.ExportMetricsServiceRequest()).SerializeToString()
    of_json = parse(body, Encoding.JSON, LIMITS, **options)
    of_protobuf = parse(encoded, Encoding.PROTOBUF, LIMITS, **options)
    assert of_json.samples == of_protobuf.samples
    assert of_json.refusals.counts == of_protobuf.refusals.counts
    return of_protobuf


def values(parsed):
    return dict(zip(parsed.samples.names, parsed.samples.values, strict=True))


def one(metric, **options):
    samples = both(request(metric), **options).samples
    assert len(samples.names) == 1
    return tuple(column[0] for column in samples)


def test_a_gauge_is_its_value_with_attributes_as_tags():
    attributes = tagged(b="x", a=True, n=5, f=0.5)
    metric = {"name": "room.temp", "gauge": {"dataPoints": [point(asDouble=21.5, attributes=attributes)]}}
    assert one(metric) == ("room.temp;a=true;b=x;f=0.5;n=5", TIME + 0.5, 21.5, Kind.GAUGE, None, None)


def test_an_integer_and_a_zero_are_values_too():
    assert one({"name": "m", "gauge": {"dataPoints": [point(asInt="-7")]}})[2] == -7
    assert one({"name": "m", "gauge": {"dataPoints": [point(asDouble=0.0)]}})[2] == 0


def test_only_chosen_attributes_of_the_resource_become_tags():
    metric = {"name": "m", "gauge": {"dataPoints": [point(asDouble=1.0)]}}
    document = request(metric, **{"service.name": "shop", "service.instance.id": "random", "host.name": "a"})
    assert both(document).samples.names == ["m;host.name=a;service.name=shop"]
    assert both(document, resource_attributes=["service.instance.id"]).samples.names == [
        "m;service.instance.id=random"
    ]


@pytest.mark.parametrize(
    ("temporality", "monotonic", "expected"),
    [
        (CUMULATIVE, True, (121.0, Kind.COUNTER, START)),
        (DELTA, True, (2.0, Kind.GAUGE, None)),
        (CUMULATIVE, False, (121.0, Kind.GAUGE, None)),
        (DELTA, False, (121.0, Kind.GAUGE, None)),
    ],
)
def test_a_sum_is_a_counter_a_rate_or_a_value(temporality, monotonic, expected):
    total = {
        "aggregationTemporality": temporality,
        "isMonotonic": monotonic,
        "dataPoints": [point(asInt="121")],
    }
    assert one({"name": "m", "sum": total})[2:5] == expected


@pytest.mark.parametrize(
    ("counters", "temporality", "expected"),
    [
        ("delta", CUMULATIVE, (121.0, Kind.INCREASE, START)),
        ("raw", CUMULATIVE, (121.0, Kind.GAUGE, None)),
        ("delta", DELTA, (121.0, Kind.GAUGE, None)),
        ("raw", DELTA, (121.0, Kind.GAUGE, None)),
    ],
)
def test_a_sum_that_only_grows_becomes_what_is_asked_for(counters, temporality, expected):
    total = {"aggregationTemporality": temporality, "isMonotonic": True, "dataPoints": [point(asInt="121")]}
    assert one({"name": "m", "sum": total}, counters=counters)[2:5] == expected


def test_an_increment_without_a_start_gives_no_rate():
    total = {
        "aggregationTemporality": DELTA,
        "isMonotonic": True,
        "dataPoints": [point(asInt="1", startTimeUnixNano="0")],
    }
    assert dict(both(request({"name": "m", "sum": total})).refusals.counts) == {Reason.NO_START: 1}


def test_a_cumulative_histogram_gives_counters_of_rate_and_mean():
    data = {
        "aggregationTemporality": CUMULATIVE,
        "dataPoints": [point(count="10", sum=50.0, bucketCounts=["4", "6"], explicitBounds=[5.0])],
    }
    samples = both(request({"name": "h", "histogram": data})).samples
    assert list(
        zip(samples.names, samples.values, samples.kinds, samples.starts, samples.counts, strict=True)
    ) == [
        ("h.rate", 10, Kind.COUNTER, START, None),
        ("h.mean", 50, Kind.MEAN, START, 10),
    ]


def test_a_histogram_of_increments_gives_quantiles_within_its_buckets():
    data = {
        "aggregationTemporality": DELTA,
        "dataPoints": [
            point(
                count="121", sum=242.0, bucketCounts=["0", "100", "20", "1"], explicitBounds=[0.0, 10.0, 20.0]
            )
        ],
    }
    found = values(both(request({"name": "h", "histogram": data})))
    assert found["h.rate"] == 2
    assert found["h.mean"] == 2
    assert found["h.p50"] == pytest.approx(6.05)
    assert found["h.p95"] == pytest.approx(10 + 10 * (0.95 * 121 - 100) / 20)
    assert found["h.p99"] == pytest.approx(10 + 10 * (0.99 * 121 - 100) / 20)


def test_a_value_beyond_all_bounds_counts_as_the_last_bound():
    data = {
        "aggregationTemporality": DELTA,
        "dataPoints": [point(count="3", bucketCounts=["0", "3"], explicitBounds=[5.0])],
    }
    found = values(both(request({"name": "h", "histogram": data})))
    assert found["h.p99"] == 5
    assert "h.mean" not in found


def test_a_histogram_whose_buckets_do_not_fit_is_refused():
    data = {
        "aggregationTemporality": DELTA,
        "dataPoints": [point(count="3", bucketCounts=["3"], explicitBounds=[5.0])],
    }
    parsed = both(request({"name": "h", "histogram": data}))
    assert dict(parsed.refusals.counts) == {Reason.BUCKETS: 1}
    assert not parsed.samples.names


def test_an_exponential_histogram_of_increments_gives_quantiles():
    buckets = {
        "scale": 0,
        "zeroCount": "1",
        "positive": {"offset": 1, "bucketCounts": ["2", "4"]},
        "negative": {"offset": 0, "bucketCounts": ["1"]},
    }
    data = {"aggregationTemporality": DELTA, "dataPoints": [point(count="8", sum=8.0, **buckets)]}
    found = values(both(request({"name": "e", "exponentialHistogram": data})))
    assert found["e.p50"] == pytest.approx(4)  # 1 in (-2, -1], 1 at 0, 2 in (2, 4], 4 in (4, 8]
    assert found["e.p95"] == pytest.approx(4 + 4 * (0.95 * 8 - 4) / 4)


def test_a_summary_gives_rate_mean_and_each_quantile():
    quantiles = [{"quantile": 0.5, "value": 2.0}, {"quantile": 0.999, "value": 9.0}]
    data = {"dataPoints": [point(count="4", sum=8.0, quantileValues=quantiles)]}
    assert values(both(request({"name": "s", "summary": data}))) == {
        "s.rate": 4,
        "s.mean": 8,
        "s.p50": 2,
        "s.p99_9": 9,
    }


def test_a_point_without_a_recorded_value_ends_its_series():
    samples = both(request({"name": "m", "gauge": {"dataPoints": [point(flags=1)]}})).samples
    assert samples.kinds == [Kind.ENDED]


@pytest.mark.parametrize(
    "bad",
    [
        {"asDouble": "NaN"},
        {"asDouble": "Infinity"},
        {"asDouble": 1.0, "timeUnixNano": "18446744073709551615"},
    ],
)
def test_a_bad_point_costs_only_itself(bad):
    points = [point(asDouble=1.0), point(**bad), point(asDouble=2.0)]
    parsed = both(request({"name": "m", "gauge": {"dataPoints": points}}))
    assert len(parsed.samples.names) + parsed.refusals.errors == 3
    assert len(parsed.samples.names) >= 2


@given(st.binary(max_size=200), st.sampled_from(Encoding))
def test_random_bytes_are_read_or_refused(body, of):
    with suppress(UnreadableBody):
        parse(body, of, LIMITS, **DEFAULT)


@given(st.data())
def test_damaged_requests_are_read_or_refused(data):
    metric = {"name": "m", "gauge": {"dataPoints": [point(asDouble=1.5, attributes=tagged(a="b"))] * 3}}
    body = json.dumps(request(metric, host="a")).encode()
    encoded = bytearray(json_format.Parse(body, proto.ExportMetricsServiceRequest()).SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    try:
        parsed = parse(bytes(encoded), Encoding.PROTOBUF, LIMITS, **DEFAULT)
    except UnreadableBody:
        return
    assert all(map(math.isfinite, parsed.samples.values))


def test_more_samples_than_allowed_are_refused_as_a_whole():
    body = json.dumps(request({"name": "m", "gauge": {"dataPoints": [point(asDouble=1.0)] * 3}})).encode()
    with pytest.raises(UnreadableBody) as raised:
        parse(body, Encoding.JSON, Limits(samples=2), **DEFAULT)
    assert raised.value.reason is Reason.TOO_MANY


def test_answers_come_in_the_encoding_of_the_request():
    good = both(request({"name": "m", "gauge": {"dataPoints": [point(asDouble=1.0)]}}))
    assert answer(good, Encoding.PROTOBUF) == (200, "application/x-protobuf", b"")
    assert answer(good, Encoding.JSON) == (200, "application/json", b"{}")
    partly = both(request({"name": "m", "gauge": {"dataPoints": [point(asDouble="NaN")]}}))
    response = proto.ExportMetricsServiceResponse.FromString(answer(partly, Encoding.PROTOBUF).body)
    assert response.partial_success.rejected_data_points == 1
    assert "not finite" in response.partial_success.error_message
    assert json.loads(answer(partly, Encoding.JSON).body)["partialSuccess"]["rejectedDataPoints"] == "1"
    assert json.loads(failure(503, "later", Encoding.JSON).body) == {"code": 14, "message": "later"}
    assert failure(400, "no", Encoding.PROTOBUF).body == b"\x08\x03\x12\x02no"


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/x-protobuf", Encoding.PROTOBUF),
        ("application/json; charset=utf-8", Encoding.JSON),
        ("application/grpc", None),
    ],
)
def test_the_content_type_names_the_encoding(content_type, expected):
    assert encoding(content_type) is expected


def test_what_the_sdk_exports_is_read():
    metrics = pytest.importorskip("opentelemetry.sdk.metrics", reason="no opentelemetry-sdk")
    export = pytest.importorskip("opentelemetry.sdk.metrics.export")
    encoder = pytest.importorskip("opentelemetry.exporter.otlp.proto.common.metrics_encoder")
    reader = export.InMemoryMetricReader()
    provider = metrics.MeterProvider(metric_readers=[reader])
    meter = provider.get_meter("test")
    meter.create_counter("requests").add(3, {"route": "/"})
    meter.create_up_down_counter("open").add(-2)
    meter.create_histogram("latency").record(12.0)
    body = encoder.encode_metrics(reader.get_metrics_data()).SerializeToString()
    provider.shutdown()
    samples = parse(body, Encoding.PROTOBUF, LIMITS, **DEFAULT).samples
    named = {
        name.partition(";")[0]: (value, kind)
        for name, value, kind in zip(samples.names, samples.values, samples.kinds, strict=True)
    }
    assert named == {
        "requests": (3, Kind.COUNTER),
        "open": (-2, Kind.GAUGE),
        "latency.rate": (1, Kind.COUNTER),
        "latency.mean": (12, Kind.MEAN),
    }
    assert all("service.name=" in name for name in samples.names)
