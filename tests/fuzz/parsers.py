"""The parsers: of each what is done with bytes, what must hold then, and examples to begin with.

A parser may refuse what it is given, by its documented errors, and nothing else may happen. Samples that a door takes must come
out of the metric-data queue as they went in: one that the storer refuses was said to be safe.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

import cramjam
import zstandard
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from htmengine.alerts import rules_file, rules_text, tables_text
from htmengine.alerts.toml_blocks import NotSeparable
from htmengine.doors import (
    graphite_pickle,
    influx,
    json_samples,
    names,
    opentsdb,
    otlp,
    plaintext,
    queue_lines,
    remote_write,
    statsd,
    statsd_aggregation,
    victoriametrics,
)
from htmengine.doors.limits import Limits, inflate
from htmengine.doors.samples import (
    MAX_EXAMPLE,
    Kind,
    Refusals,
    Samples,
    UnreadableBody,
    check_timestamp,
    check_value,
)
from htmengine.errors import ConfigError, ExplainedError
from htmengine.graphite.evaluation import RenderTimeout
from htmengine.graphite.target import TargetError
from htmengine.graphite.times import parse_interval, parse_time
from htmengine.messages import MetricLines, decode_metric_lines, encode_json
from htmengine.runtime.metric_listener.line_reader import LineReader
from htmengine.runtime.metric_storer import monitor_rules
from htmengine.series import reader
from htmengine.series.options import Options
from htmengine.service.counters import Counters
from tests.unit.doors import prometheus
from tests.unit.graphite.recorded import evaluate
from tests.unit.series import files, shapes

NOW: Final = 1_700_000_000.5
LIMITS: Final = Limits(body=1 << 16, inflated=1 << 20, samples=1000)
"""Small ones: what goes beyond them is found soon."""

MAX_MESSAGE: Final = 100_000


class Parser(NamedTuple):
    """What is fuzzed."""

    work: Callable[[bytes], None]
    """Raises for a finding."""
    examples: Iterable[bytes]
    longest: int = 16_384
    """Bytes of an input."""


def check(samples: Samples, refusals: Refusals) -> None:
    """Raise AssertionError for samples that are none, and for those that the storer would not take."""
    assert len(samples.names) <= LIMITS.samples
    assert len({len(column) for column in samples}) == 1
    for refusal in refusals.details:
        assert len(refusal.example) <= MAX_EXAMPLE
    for name, timestamp, value in zip(*samples[:3], strict=True):
        assert check_value(value) is None, value
        assert check_timestamp(timestamp) is None, timestamp
        assert names.read(name) == name, name
    lines = queue_lines.written(samples)
    for protocol, parse, of in (
        (plaintext.PROTOCOL, plaintext.parse_lines, False),
        (queue_lines.TOTALS, queue_lines.parse_totals, True),
    ):
        message = encode_json(MetricLines(protocol=protocol, data=lines.get(protocol, []), accepted_at=NOW))
        stored, refused = parse(decode_metric_lines(message).data)
        assert not refused, refused.details
        whole = [
            (name, timestamp if of else float(timestamp // 1), value, kind, start, count)
            for name, timestamp, value, kind, start, count in zip(*samples, strict=True)
            if (kind is not Kind.GAUGE) == of
        ]
        assert list(zip(*stored, strict=True)) == whole


def _check_error(error: Exception, hint: str = "-") -> None:
    """Raise AssertionError for an error that tells nothing, or tells more than anybody reads."""
    assert 0 < len(str(error)) <= MAX_MESSAGE, error
    assert hint


def _door(parse: Callable[[bytes], tuple[Samples, Refusals]]) -> Callable[[bytes], None]:
    def work(data: bytes) -> None:
        try:
            samples, refusals = parse(data)
        except UnreadableBody as error:
            _check_error(error)
        else:
            check(samples, refusals)

    return work


def _text(data: bytes) -> None:
    """In two pieces, as a connection may bring it; its lines are parsed by the storer."""
    counters = Counters()
    whole = LineReader(4096, counters, clock=lambda: NOW)
    lines = whole.feed(data)
    whole.finish()
    pieces = LineReader(4096, Counters(), clock=lambda: NOW)
    half = len(data) // 2
    if not (whole.foreign or pieces.foreign):
        found = pieces.feed(data[:half])
        found += pieces.feed(data[half:]) if not pieces.foreign else []
        assert found == lines or whole.foreign or pieces.foreign
    parsed = plaintext.parse_lines(lines[: LIMITS.samples])
    check(parsed.samples, parsed.refusals)


def _pickle(data: bytes) -> tuple[Samples, Refusals]:
    framed = graphite_pickle.Reader().feed(data, NOW)
    alone = graphite_pickle.parse(data, NOW)
    check(*framed)
    return alone.samples, alone.refusals


def _statsd(data: bytes) -> tuple[Samples, Refusals]:
    refusals, samples = Refusals(), Samples.empty()
    aggregation = statsd_aggregation.Aggregation(10.0, max_names=500)
    aggregation.add(statsd.parse(data, refusals), samples, refusals)
    stream = statsd.Reader()
    half = len(data) // 2
    for piece in (data[:half], data[half:]):
        aggregation.add(stream.feed(piece, refusals), samples, refusals)
    first = aggregation.flush(1_700_000_000.0, refusals)
    second = aggregation.flush(1_700_000_010.0, refusals)
    for one in (samples, second):
        cut = Samples(*(column[: LIMITS.samples] for column in one))
        check(cut, refusals)
    return Samples(*(column[: LIMITS.samples] for column in first)), refusals


def _remote_write(version: remote_write.Version) -> Callable[[bytes], tuple[Samples, Refusals]]:
    def parse(data: bytes) -> tuple[Samples, Refusals]:
        received = remote_write.parse(data, version, LIMITS, buckets=True)
        remote_write.answer(received, version)
        return received.samples, received.refusals

    return parse


def _snappy(data: bytes) -> tuple[Samples, Refusals]:
    return _remote_write(remote_write.Version.V1)(inflate(data, "snappy", LIMITS))


def _inflated(data: bytes) -> None:
    for encoding in ("gzip", "deflate", "snappy"):
        try:
            assert len(inflate(data, encoding, LIMITS)) <= LIMITS.inflated
        except UnreadableBody as error:
            _check_error(error)


def _influx(data: bytes) -> tuple[Samples, Refusals]:
    parsed = influx.parse(data, influx.precision("ns"), NOW, LIMITS)
    influx.answer(parsed)
    return parsed


def _otlp(encoding: otlp.Encoding) -> Callable[[bytes], tuple[Samples, Refusals]]:
    def parse(data: bytes) -> tuple[Samples, Refusals]:
        parsed = otlp.parse(data, encoding, LIMITS, resource_attributes=("service.name",))
        otlp.answer(parsed, encoding)
        return parsed

    return parse


def _json(parse: Callable[[bytes], json_samples.Parsed]) -> Callable[[bytes], tuple[Samples, Refusals]]:
    def parsed(data: bytes) -> tuple[Samples, Refusals]:
        found = parse(data)
        json_samples.answer(found)
        return found

    return parsed


def _opentsdb(data: bytes) -> tuple[Samples, Refusals]:
    parsed = opentsdb.parse(data, NOW, LIMITS)
    opentsdb.answer(parsed, details=True)
    return parsed


def _victoriametrics(data: bytes) -> tuple[Samples, Refusals]:
    parsed = victoriametrics.parse(data, LIMITS)
    victoriametrics.answer(parsed)
    return parsed


def _monitor_rules(data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    try:
        rules = monitor_rules.parse(text, "monitor-rules.conf")
    except ConfigError as error:
        _check_error(error)
        return
    for name in ("web.requests", "up;instance=a;job=b", "carbon.agents.a.b", "ä"):
        rules.way(name)


def _alert_rules(data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    path = Path("/nowhere/alerts.toml")
    try:
        found = rules_file.parse(text, path)
        rules_file.check(path, found)
    except ConfigError as error:
        _check_error(error)
        return
    for read, put in (
        (rules_text.written_rules, rules_text.with_rules),
        (tables_text.written_targets, tables_text.with_targets),
        (tables_text.written_windows, tables_text.with_windows),
    ):
        try:
            written: Any = read(text)
            again = put(text, written)
        except NotSeparable:
            continue
        assert read(again) == written


SERIES: Final = {
    "web.a.hits": [60, [3, None, 5, 4, 9, 0, -2, None, None, 6]],
    "web.b.hits": [60, [1, 2, 3, None, None, 2, 8, 8, 1, None]],
    "web.slow": [120, [100, 200, None, 50, 75]],
    "cpu;dc=a": [60, [80.0] * 10],
}


def _target(data: bytes) -> None:
    text = data.decode(errors="replace")
    try:
        for one in evaluate(SERIES, text, -1, 540):
            assert one.values.ndim == 1
    except (TargetError, RenderTimeout) as error:
        _check_error(error)


def _times(data: bytes) -> None:
    from zoneinfo import ZoneInfo

    text = data.decode(errors="replace")
    for read in (lambda: parse_time(text, NOW, ZoneInfo("Europe/Berlin")), lambda: parse_interval(text)):
        try:
            read()
        except (ValueError, TargetError) as error:
            _check_error(error)


def _file(data: bytes) -> None:
    options = Options(all_series=len(data) % 2 == 0)  # one of them, so that twice as many inputs are tried
    try:
        for series in reader.read(files.stream(data), "series.csv", options):
            assert len(series.timestamps) == len(series.values) == len(series.lines)
            assert "\x00" not in "".join(series.notes)
    except ExplainedError as error:
        _check_error(error, error.hint)


# -- Examples

_LINES: Final = (
    b"web.cpu.user 1.5 1700000000\nweb;dc=a;host=b -1e+21 1700000060.5\n",
    b'http_requests{method="GET",path="/a b\\n"} 3 1700000000\n',
    b"foo.bar nan -1\nwei rd\nname 1 2 3\n\xff\xfe 1 1700000000\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"put a.b 1700000000 42 host=a\n",
    b"<14>Jan  1 00:00:00 host app: text\n",
    b"cpu,host=a value=1 1700000000000000000\n",
    bytes([0x1F, 0x8B, 8, 0]),
)
_POINTS: Final = [("a.b", (1_700_000_000, 1.5)), (b"c;d=e", [1_700_000_060.5, "2"]), ["f", (None, True)]]


def _framed(frame: bytes) -> bytes:
    return struct.pack(">I", len(frame)) + frame


_WRITES: Final = (
    prometheus.series_v1({"__name__": "up", "job": "a"}, [prometheus.sample(1.0)]),
    prometheus.series_v1(
        {"__name__": "x_sum", "le": "+Inf"},
        [prometheus.sample(1e300, start=5)],
        [prometheus.histogram(3, 7.5, hint=1)],
    )
    + prometheus.series_v1({"__name__": "x_count"}, [prometheus.sample(3.0)]),
)
_WRITES_2: Final = (
    prometheus.request_v2(
        ({"__name__": "up", "job": "a"}, [prometheus.sample(1.0)], 2, True),
        ({"__name__": "hits_total"}, [prometheus.sample(5.0, start=1)], 1, False),
    ),
)
_ATTRIBUTES: Final = [
    {"key": "method", "value": {"stringValue": "GET"}},
    {"key": "n", "value": {"intValue": "7"}},
    {"key": "list", "value": {"arrayValue": {"values": [{"boolValue": True}]}}},
]
_POINT: Final = {"startTimeUnixNano": "1699999990000000000", "timeUnixNano": "1700000000000000000"}
_OTLP: Final = {
    "resourceMetrics": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
            "scopeMetrics": [
                {
                    "metrics": [
                        {"name": "g", "gauge": {"dataPoints": [{**_POINT, "asDouble": 1.5}]}},
                        {
                            "name": "s",
                            "sum": {
                                "dataPoints": [{**_POINT, "asInt": "3", "attributes": _ATTRIBUTES}],
                                "aggregationTemporality": 2,
                                "isMonotonic": True,
                            },
                        },
                        {
                            "name": "h",
                            "histogram": {
                                "dataPoints": [
                                    {
                                        **_POINT,
                                        "count": "6",
                                        "sum": 9.5,
                                        "bucketCounts": ["1", "2", "3"],
                                        "explicitBounds": [1.0, 2.0],
                                    }
                                ],
                                "aggregationTemporality": 1,
                            },
                        },
                        {
                            "name": "e",
                            "exponentialHistogram": {
                                "dataPoints": [
                                    {
                                        **_POINT,
                                        "count": "6",
                                        "sum": 9.5,
                                        "scale": 2,
                                        "zeroCount": "1",
                                        "positive": {"offset": 1, "bucketCounts": ["1", "2"]},
                                        "negative": {"offset": -3, "bucketCounts": ["2"]},
                                    }
                                ],
                                "aggregationTemporality": 1,
                            },
                        },
                        {
                            "name": "q",
                            "summary": {
                                "dataPoints": [
                                    {
                                        **_POINT,
                                        "count": "6",
                                        "sum": 9.5,
                                        "quantileValues": [{"quantile": 0.99, "value": 3.5}],
                                    }
                                ]
                            },
                        },
                    ]
                }
            ],
        }
    ]
}
_MONITOR_RULES: Final = b"""
[limit]
metrics = 100
[pods]
pattern = *;pod=*
drop_tags = pod
[agents]
internals = all
action = drop
[requests]
pattern = requests.*
interval = 5m
aggregation = sum
delay = 30s
silence = 1h
min = 0
max = 100
kind = counter
[old]
pattern = old.*
rename = new.*
[everything]
pattern = *
action = monitor
"""
_ALERT_RULES: Final = b"""
mode = "all"
max_age = "2h"
maintenance = "patching"
[targets.ops]
kind = "webhook"
url = "https://chat.example/hook"
[windows.office]
cron = "0 8 * * mon-fri"
duration = "10h"
timezone = "Europe/Berlin"
[windows.patching]
from = 2030-01-01T10:00:00Z
to = 2030-01-01T12:00:00Z
[engine]
lag = "5m"
[[rules]]
name = "databases"
match = ["db.*", "sql.*"]
exclude = "*.test"
tags = ["dc=fra", "host!=~old"]
severity = "critical"
min_score = 0.7
direction = "up"
min_deviation = { absolute = 5, percent = 20 }
causes = ["jump", "error"]
at_least = { rows = 3, metrics = 2 }
active = "office"
targets = "ops"
cooldown = "1h"
[[rules]]
name = "rest"
budget = 2
"""
_TARGETS: Final = (
    "aliasSub(constantLine(100), '(^.*$)', '\\1 A')",
    'alias(sumSeries(web.*.hits), "x")|scale(2)|offset(-1e3)',
    "movingAverage(web.{a,b}.hits, '3min')",
    "summarize(web.[ab].hits, '1h', 'max', true)",
    "seriesByTag('name=cpu', 'dc=~a')",
    "asPercent(web.a.hits, 200)",
    "highestMax(group(web.*.*, web.slow), n=2)",
    "timeShift(web.a.hits, '-2min')",
    "logScore(aliasByNode(web.a.hits, 1))",
    "mostAnomalous(web.*.*, 1)",
)
_NDJSON: Final = (
    b'{"name": "web.requests", "tags": {"dc": "fra1"}, "time": 1700000000, "value": 118.5}\n'
    b'{"name": "web.errors", "times": [1700000000, "2023-11-14T22:14:20Z"], "values": [0, 2]}\n',
)
_OPENTSDB: Final = (
    b'[{"metric": "cpu", "timestamp": 1700000000123, "value": "42.5", "tags": {"host": "a"}}, {"metric": "b", "value": 1}]',
)
_VICTORIAMETRICS: Final = (
    b'{"metric": {"__name__": "up", "job": "node"}, "values": [0, null, 1], "timestamps": [1700000000000, 1, 2]}\n',
)


def _packed(data: bytes) -> list[bytes]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.csv", data)
        file.writestr("b.csv", data)
    return [
        gzip.compress(data, mtime=0),
        bz2.compress(data),
        lzma.compress(data),
        zstandard.compress(data),
        archive.getvalue(),
    ]


def _file_examples() -> list[bytes]:
    given = shapes.points(4)  # a file takes the longer the more rows there are to look at
    found = [shape(given).encode() for shape in shapes.SHAPES.values()]
    found += [shapes.workbook(given), shapes.parquet(given), found[0].decode().encode("utf-16")]
    return found + _packed(found[0])


def _otlp_binary() -> bytes:
    written: bytes = json_format.Parse(json.dumps(_OTLP), ExportMetricsServiceRequest()).SerializeToString()
    return written


PARSERS: Final = {
    "text": Parser(_text, _LINES),
    "pickle": Parser(
        _door(_pickle),
        [
            form
            for protocol in range(6)
            for frame in [pickle.dumps(_POINTS, protocol)]
            for form in (frame, _framed(frame))
        ],
    ),
    "statsd": Parser(
        _door(_statsd),
        (
            b"a:1|c|@0.5\nb:-2|g\nc:3:4:5|ms|#env:prod,canary\nd:x|s\ne:1|h|c:1|T1700000000\n",
            b"_e{5,4}:title|text\n_sc|name|0\nname:1|c:2|c\nname\na:+3|g\n",
        ),
    ),
    "remote-write": Parser(_door(_remote_write(remote_write.Version.V1)), _WRITES),
    "remote-write-2": Parser(_door(_remote_write(remote_write.Version.V2)), _WRITES_2),
    "remote-write-snappy": Parser(
        _door(_snappy), [bytes(cramjam.snappy.compress_raw(body)) for body in _WRITES]
    ),
    "compression": Parser(
        _inflated,
        [
            *_packed(b"a" * 2000)[:1],
            bytes(cramjam.zlib.compress(b"a" * 2000)),
            bytes(cramjam.snappy.compress_raw(b"a" * 2000)),
        ],
    ),
    "influx": Parser(
        _door(_influx),
        (
            b'cpu,host=a\\ b,dc=c usage=1.5,n=3i,u=4u,t=true,text="a \\"b\\"" 1700000000000000000\n',
            b"# comment\nm value=1\nm,t= value=1 x\n\n",
        ),
    ),
    "otlp": Parser(_door(_otlp(otlp.Encoding.PROTOBUF)), [_otlp_binary()]),
    "otlp-json": Parser(_door(_otlp(otlp.Encoding.JSON)), [json.dumps(_OTLP).encode()]),
    "json-lines": Parser(_door(_json(lambda data: json_samples.parse_lines(data, NOW, LIMITS))), _NDJSON),
    "json": Parser(
        _door(_json(lambda data: json_samples.parse_document(data, NOW, LIMITS))),
        [b"[" + b",".join(_NDJSON[0].splitlines()) + b"]"],
    ),
    "opentsdb": Parser(_door(_opentsdb), _OPENTSDB),
    "victoriametrics": Parser(_door(_victoriametrics), _VICTORIAMETRICS),
    "monitor-rules": Parser(_monitor_rules, [_MONITOR_RULES]),
    "alert-rules": Parser(_alert_rules, [_ALERT_RULES]),
    "graphite-target": Parser(_target, [text.encode() for text in _TARGETS]),
    "graphite-times": Parser(
        _times,
        (b"-1h", b"now-15min", b"08:30am yesterday", b"20240304", b"noon 03/04/24", b"5min", b"monday"),
    ),
    "files": Parser(_file, _file_examples(), longest=6_000),
}
