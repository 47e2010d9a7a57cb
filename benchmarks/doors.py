"""What a door costs: samples a second on one core, from the bytes of a request to samples in columns.

    .venv/bin/python -m benchmarks.doors
    .venv/bin/python -m benchmarks.doors --door influx --repeats 50 --json
    .venv/bin/python -m benchmarks.doors --durable

Each door reads a request as its usual sender writes it, again and again; the median of the runs counts, in processor
time of this process. With `--durable` its samples are put on the embedded bus as well, on the disk, as before the answer. With `--cold`
no name is known from an earlier request, as after a start.
"""

from __future__ import annotations

import argparse
import functools
import gc
import json
import pickle
import statistics
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import cramjam
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from benchmarks.machine import machine
from htmengine import config
from htmengine.bus import Bus
from htmengine.bus.opening import open_bus
from htmengine.doors import (
    graphite_pickle,
    influx,
    json_samples,
    opentsdb,
    otlp,
    plaintext,
    protobuf,
    queue_lines,
    remote_write,
    statsd,
    statsd_aggregation,
    victoriametrics,
)
from htmengine.doors.limits import Limits, inflate
from htmengine.doors.samples import Refusals, Samples
from htmengine.service.lines import line_messages

NOW: Final = 1_700_000_000
LIMITS: Final = Limits()

Read = Callable[[], Samples]


def text() -> Read:
    """Return a reading of 5000 lines as collectd writes them."""
    lines = [f"web{n % 100:02}.cpu.{n // 100}.user {n * 0.5} {NOW + n % 60}" for n in range(5000)]
    return lambda: plaintext.parse_lines(lines).samples


def text_with_tags() -> Read:
    """Return a reading of 5000 lines with three tags."""
    lines = [f"cpu.user;host=web{n % 100:02};dc=fra1;cpu={n // 100} {n * 0.5} {NOW}" for n in range(5000)]
    return lambda: plaintext.parse_lines(lines).samples


def pickles() -> Read:
    """Return a reading of ten frames of 500 points, protocol 2, as carbon's relays send them."""
    points = [(f"web{n % 100:02}.cpu.{n // 100}.user", (NOW + n % 60, n * 0.5)) for n in range(500)]
    frame = pickle.dumps(points, 2)
    sent = (struct.pack(">I", len(frame)) + frame) * 10
    return lambda: graphite_pickle.Reader().feed(sent, NOW).samples


def prometheus() -> Read:
    """Return a reading of 2000 series with six labels and one sample each, as Prometheus sends them."""
    schema = {
        "Label": [(1, "string", "name"), (2, "string", "value")],
        "Sample": [(1, "double", "value"), (2, "int64", "timestamp")],
        "TimeSeries": [(1, "repeated Label", "labels"), (2, "repeated Sample", "samples")],
        "WriteRequest": [(1, "repeated TimeSeries", "timeseries")],
    }
    request = protobuf.Messages("benchmarks.remote_write", schema).classes["WriteRequest"]()
    for n in range(2000):
        labels = {
            "__name__": "node_cpu_seconds_total",
            "cpu": str(n % 64),
            "dc": "fra1",
            "env": "production",
            "instance": f"web{n // 64}.example.com:9100",
            "job": "node",
            "mode": "idle",
        }
        series = request.timeseries.add()
        for name, value in labels.items():
            series.labels.add(name=name, value=value)
        series.samples.add(value=n * 1.5, timestamp=NOW * 1000 + n)
    sent = bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
    version = remote_write.Version.V1
    return lambda: remote_write.parse(inflate(sent, "snappy", LIMITS), version, LIMITS).samples


def telegraf() -> Read:
    """Return a reading of 5000 lines with three tags and one field."""
    lines = [
        f"cpu,dc=fra1,host=web{n % 100:02},cpu=cpu{n // 100} usage={n * 0.5} {NOW}000000000"
        for n in range(5000)
    ]
    sent = "\n".join(lines).encode()
    unit = influx.precision("ns")
    return lambda: influx.parse(sent, unit, NOW, LIMITS).samples


def opentelemetry() -> Read:
    """Return a reading of 2000 counters with four attributes, as an exporter sends them."""
    points = [
        {
            "startTimeUnixNano": f"{NOW}000000000",
            "timeUnixNano": f"{NOW + 60}000000000",
            "asDouble": n * 0.5,
            "attributes": [
                {"key": key, "value": {"stringValue": value}}
                for key, value in (
                    ("method", "GET"),
                    ("route", f"/r{n}"),
                    ("status", "200"),
                    ("zone", "fra1"),
                )
            ],
        }
        for n in range(2000)
    ]
    metric = {
        "name": "http.requests",
        "sum": {"dataPoints": points, "aggregationTemporality": 2, "isMonotonic": True},
    }
    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    document = {"resourceMetrics": [{"resource": service, "scopeMetrics": [{"metrics": [metric]}]}]}
    sent = json_format.Parse(json.dumps(document), ExportMetricsServiceRequest()).SerializeToString()
    return lambda: (
        otlp.parse(sent, otlp.Encoding.PROTOBUF, LIMITS, resource_attributes=["service.name"]).samples
    )


def json_lines() -> Read:
    """Return a reading of 5000 objects with two tags, one a line."""
    samples = [
        {
            "name": "cpu.user",
            "tags": {"host": f"web{n % 100:02}", "cpu": str(n // 100)},
            "time": NOW,
            "value": n * 0.5,
        }
        for n in range(5000)
    ]
    sent = "\n".join(map(json.dumps, samples)).encode()
    return lambda: json_samples.parse_lines(sent, NOW, LIMITS).samples


def opentsdb_put() -> Read:
    """Return a reading of an array of 5000 points with two tags."""
    points = [
        {
            "metric": "cpu.user",
            "tags": {"host": f"web{n % 100:02}", "cpu": str(n // 100)},
            "timestamp": NOW,
            "value": n,
        }
        for n in range(5000)
    ]
    sent = json.dumps(points).encode()
    return lambda: opentsdb.parse(sent, NOW, LIMITS).samples


def exported() -> Read:
    """Return a reading of 100 series with 100 values each, as VictoriaMetrics exports them."""
    series = [
        {
            "metric": {"__name__": "cpu", "host": f"web{n}"},
            "values": [float(i) for i in range(100)],
            "timestamps": [(NOW + i) * 1000 for i in range(100)],
        }
        for n in range(100)
    ]
    sent = "\n".join(map(json.dumps, series)).encode()
    return lambda: victoriametrics.parse(sent, LIMITS).samples


def statsd_packets() -> Read:
    """Return a reading of 500 datagrams of ten lines: counters, gauges and timers, some with tags and rates."""
    kinds = ("{}:1|c", "{}:{}|ms", "{}:{}|g", "{}:2|c|@0.5", "{}:{}|h|#env:prod,dc:fra1")
    lines = [kinds[n % 5].format(f"web{n % 100:02}.requests", n) for n in range(5000)]
    packets = ["\n".join(lines[at : at + 10]).encode() for at in range(0, len(lines), 10)]

    def read() -> Samples:
        aggregation, samples, refusals = statsd_aggregation.Aggregation(60.0), Samples.empty(), Refusals()
        for packet in packets:
            aggregation.add(statsd.parse(packet, refusals), samples, refusals)
        return Samples.gauges(lines, [], [])  # what counts are the lines

    return read


QUEUE: Final = "metric.custom.data"


def durable(read: Read, bus: Bus) -> Read:
    """Return a reading that puts its samples on a queue. What StatsD gathers waits there for the end of its interval."""

    def work() -> Samples:
        samples = read()
        if samples.values:
            bus.publish(
                [
                    message
                    for protocol, lines in queue_lines.written(samples).items()
                    for message in line_messages(QUEUE, lines, accepted_at=NOW, protocol=protocol)
                ]
            )
        return samples

    return work


@contextmanager
def embedded_bus() -> Iterator[Bus]:
    """Give a bus of its own with the queue."""
    with tempfile.TemporaryDirectory() as folder:
        bus = open_bus(config.embedded(Path(folder)))
        try:
            bus.declare_queue(QUEUE)
            yield bus
        finally:
            bus.close()


DOORS: Final = {
    "graphite-text": text,
    "graphite-text-tags": text_with_tags,
    "graphite-pickle": pickles,
    "remote-write": prometheus,
    "influx": telegraf,
    "otlp": opentelemetry,
    "statsd": statsd_packets,
    "json": json_lines,
    "opentsdb": opentsdb_put,
    "victoriametrics": exported,
}


def forget_names() -> None:
    """Let the doors work out each name anew."""
    for one in gc.get_objects():
        if isinstance(one, functools._lru_cache_wrapper) and one.__module__.startswith("htmengine.doors"):
            one.cache_clear()


def measure(read: Read, repeats: int, *, cold: bool) -> float:
    """Return samples a second: the median of so many runs; `cold`: of names that were not seen before."""
    count = len(read().names)
    seconds = []
    for _ in range(repeats):
        if cold:
            forget_names()
        began = time.process_time_ns()
        read()
        seconds.append((time.process_time_ns() - began) / 1e9)
    return count / statistics.median(seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--door", choices=list(DOORS), action="append", help="all, unless given")
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--durable", action="store_true", help="put the samples on the embedded bus, too")
    parser.add_argument("--cold", action="store_true", help="each name as if it were the first time")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = {}
    for name in options.door or DOORS:
        with embedded_bus() as bus:
            read = DOORS[name]()
            work = durable(read, bus) if options.durable else read
            results[name] = round(measure(work, options.repeats, cold=options.cold))
    if options.json:
        print(json.dumps({"samples_per_second": results, "machine": machine()}))
        return
    for name, rate in results.items():
        print(f"{name:20} {rate:>12,} samples/s")


if __name__ == "__main__":
    main()
