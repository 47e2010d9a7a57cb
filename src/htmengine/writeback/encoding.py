"""The forms in which receivers take series: Graphite's lines, Prometheus' remote write, InfluxDB's lines."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import cramjam

from htmengine.writeback.series import MetricRows

_NO_LABEL: Final = re.compile(r"[^A-Za-z0-9_]")
_DOUBLE: Final = struct.Struct("<d").pack


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
    start = _label(prefix)
    written = []
    for metric in metrics:
        before, behind = _labels(metric.name)
        for series, points in metric.series():
            samples: list[bytes] = []
            for at, number in points:
                head, tail = _time(at)
                samples += (head, _DOUBLE(number), tail)
            name = _label_field("__name__", f"{start}_{series}")
            written.append(_field(1, b"".join((before, name, behind, *samples))))
    return bytes(cramjam.snappy.compress_raw(b"".join(written)))


def _labels(name: str) -> tuple[bytes, bytes]:
    """Return the labels of a metric, sorted as receivers want them: those that come before `__name__`, and those behind it."""
    base, tags = _parts(name)
    labels = {_label(key): value for key, value in tags} | {"metric": base}
    fields = [(label, _label_field(label, labels[label])) for label in sorted(labels)]
    return (
        b"".join(field for label, field in fields if label < "__name__"),
        b"".join(field for label, field in fields if label > "__name__"),
    )


@lru_cache(maxsize=4096)
def _time(at: int) -> tuple[bytes, bytes]:
    """Return what stands before and behind the number of a sample; many metrics have rows at the same time."""
    tail = b"\x10" + _varint(at * 1000)
    return b"\x12" + _varint(9 + len(tail)) + b"\x09", tail


def _label_field(name: str, value: str) -> bytes:
    return _field(1, _field(1, name.encode()) + _field(2, value.encode()))


@lru_cache(maxsize=1024)
def _label(text: str) -> str:
    label = _NO_LABEL.sub("_", text)
    return f"_{label}" if label[:1].isdigit() else label


def _field(number: int, body: bytes) -> bytes:
    """Return a field of protobuf that has a length."""
    size = len(body)
    if size < 128:
        return bytes((number << 3 | 2, size)) + body
    return bytes((number << 3 | 2,)) + _varint(size) + body


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    written.append(number)
    return bytes(written)
