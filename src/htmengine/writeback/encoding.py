"""The forms in which receivers take series: Graphite's lines, Prometheus' remote write, InfluxDB's lines."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from typing import Final

import cramjam

from htmengine.writeback.series import MetricRows

_NO_LABEL: Final = re.compile(r"[^A-Za-z0-9_]")


def graphite_lines(metrics: Iterable[MetricRows], prefix: str) -> bytes:
    """Return lines of Graphite's plaintext protocol: `prefix.log_score.web.requests 0.1 1790000000`."""
    lines = []
    for metric in metrics:
        for series, points in metric.series():
            path = f"{prefix}.{series}.{metric.name}"
            lines += [f"{path} {number!r} {at}\n" for at, number in points]
    return "".join(lines).encode()


def influx_lines(metrics: Iterable[MetricRows], measurement: str) -> bytes:
    """Return InfluxDB's line protocol, times in seconds: `htm,metric=web.requests log_score=0.1,alarm=0 1790000000`."""
    lines = []
    for metric in metrics:
        base, tags = _parts(metric.name)
        key = ",".join(
            [_escaped(measurement), *(f"{_escaped(k)}={_escaped(v)}" for k, v in (("metric", base), *tags))]
        )
        for place, at in enumerate(metric.timestamps):
            fields = ",".join(
                f"{name}={number!r}"
                for name, numbers in metric.columns.items()
                if (number := numbers[place]) == number
            )
            if fields:
                lines.append(f"{key} {fields} {at}\n")
    return "".join(lines).encode()


def _escaped(text: str) -> str:
    return re.sub(r"([,= \\])", r"\\\1", text)


def _parts(name: str) -> tuple[str, list[tuple[str, str]]]:
    """Return a name without its tags, and the tags."""
    base, *pairs = name.split(";")
    return base, [(key, value) for key, _, value in (pair.partition("=") for pair in pairs) if value]


def remote_write(metrics: Iterable[MetricRows], prefix: str) -> bytes:
    """Return a request of remote write 1.0: series `htm_log_score{metric="web.requests"}` with the metric's tags."""
    written = []
    for metric in metrics:
        base, tags = _parts(metric.name)
        labels = {label: value for key, value in tags if (label := _label(key)) != "metric"}
        labels["metric"] = base
        for series, points in metric.series():
            labels["__name__"] = f"{_label(prefix)}_{series}"
            body = b"".join(
                _field(1, _field(1, name.encode()) + _field(2, value.encode()))
                for name, value in sorted(labels.items())
            )
            body += b"".join(
                _field(2, b"\x09" + struct.pack("<d", number) + b"\x10" + _varint(at * 1000))
                for at, number in points
            )
            written.append(_field(1, body))
    return bytes(cramjam.snappy.compress_raw(b"".join(written)))


def _label(text: str) -> str:
    label = _NO_LABEL.sub("_", text)
    return f"_{label}" if label[:1].isdigit() else label


def _field(number: int, body: bytes) -> bytes:
    """Return a field of protobuf that has a length."""
    return bytes((number << 3 | 2,)) + _varint(len(body)) + body


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    written.append(number)
    return bytes(written)
