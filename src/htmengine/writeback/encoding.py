"""The forms in which receivers take series: Graphite's lines, Prometheus' remote write, InfluxDB's lines.

Numbers are brought into their form a column at a time: written back are all scores of all metrics.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, pairwise, repeat
from typing import Any, Final

import cramjam
import msgspec
import numpy as np
import numpy.typing as npt

from htmengine.writeback.series import Batch, Times

_NO_LABEL: Final = re.compile(r"[^A-Za-z0-9_]")
_NOTHING: Final = "null"


def graphite_lines(batch: Batch, prefix: str) -> bytes:
    """Return lines of Graphite's plaintext protocol: `prefix.log_score.web.requests 0.1 1790000000`."""
    lines: list[str] = []
    for points in batch.series():
        start = f"{prefix}.{points.name}."
        names = _of_each_row(batch.names, points.ends)
        rows = zip(names, _decimals(points.numbers), _decimals(points.timestamps), strict=True)
        lines += [f"{start}{name} {number} {at}\n" for name, number, at in rows]
    return "".join(lines).encode()


def influx_lines(batch: Batch, measurement: str) -> bytes:
    """Return InfluxDB's line protocol, times in seconds: `htm,metric=web.requests log_score=0.1,alarm=0.0 1790000000`."""
    start = _escaped(measurement)
    keys = _of_each_row([f"{start},{_tag_set(name)}" for name in batch.names], batch.ends)
    fields = [
        ["" if number == _NOTHING else f"{series}={number}" for number in _decimals(numbers)]
        for series, numbers in batch.columns.items()
    ]
    return "".join(
        [
            f"{key} {written} {at}\n"
            for key, at, *row in zip(keys, _decimals(batch.timestamps), *fields, strict=True)
            if (written := ",".join(filter(None, row)))
        ]
    ).encode()


def _of_each_row(of_metrics: Sequence[str], ends: Sequence[int]) -> Iterator[str]:
    """Return what belongs to each metric once for each of its rows."""
    counts = [end - begin for begin, end in pairwise(ends)]
    return chain.from_iterable(map(repeat, of_metrics, counts))


def _decimals(numbers: npt.NDArray[Any]) -> list[str]:
    """Return numbers with the fewest digits that tell them apart; `null` for one that is not finite."""
    return msgspec.json.encode(numbers.tolist()).decode()[1:-1].split(",") if len(numbers) else []


def _tag_set(name: str) -> str:
    base, tags = _parts(name)
    return ",".join(f"{_escaped(key)}={_escaped(value)}" for key, value in (("metric", base), *tags))


def _escaped(text: str) -> str:
    return re.sub(r"([,= \\])", r"\\\1", text)


def _parts(name: str) -> tuple[str, list[tuple[str, str]]]:
    """Return a name without its tags, and the tags."""
    base, *pairs = name.split(";")
    return base, [(key, value) for key, _, value in (pair.partition("=") for pair in pairs) if value]


def remote_write(batch: Batch, prefix: str) -> bytes:
    """Return a request of remote write 1.0: series `htm_log_score{metric="web.requests"}` with the metric's tags."""
    start = _label(prefix)
    labels = [_labels(name) for name in batch.names]
    written = []
    for points in batch.series():
        name = _label_field("__name__", f"{start}_{points.name}")
        samples = _samples(points.timestamps, points.numbers)
        size = len(samples) // len(points.numbers)
        for (before, behind), (begin, end) in zip(labels, pairwise(points.ends), strict=True):
            if begin < end:
                of_metric = samples[size * begin : size * end]
                written.append(_field(1, b"".join((before, name, behind, of_metric))))
    return bytes(cramjam.snappy.compress_raw(b"".join(written)))


def _samples(timestamps: Times, numbers: npt.NDArray[np.float64]) -> bytes:
    """Return fields of samples, all of the same size: their times take as many bytes as the longest of them."""
    milliseconds = timestamps * 1000
    longest = int(milliseconds.max()).bit_length() if milliseconds.min() >= 0 else 64
    width = max(1, -(-longest // 7))
    form = [("head", "u1", 3), ("number", "<f8"), ("tag", "u1"), ("time", "u1", width)]
    samples = np.empty(len(numbers), dtype=form)
    samples["head"] = 0x12, samples.itemsize - 2, 0x09
    samples["number"] = numbers
    samples["tag"] = 0x10
    shifts = 7 * np.arange(width, dtype=np.uint64)
    samples["time"] = milliseconds.view(np.uint64)[:, None] >> shifts & 0x7F | 0x80
    samples["time"][:, -1] &= 0x7F
    return samples.tobytes()


def _labels(name: str) -> tuple[bytes, bytes]:
    """Return the labels of a metric, sorted as receivers want them: those that come before `__name__`, and those behind it."""
    base, tags = _parts(name)
    labels = {_label(key): value for key, value in tags} | {"metric": base}
    fields = [(label, _label_field(label, labels[label])) for label in sorted(labels)]
    return (
        b"".join(field for label, field in fields if label < "__name__"),
        b"".join(field for label, field in fields if label > "__name__"),
    )


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
