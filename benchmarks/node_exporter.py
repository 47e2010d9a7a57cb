"""node_exporter's whole output for an hour, through remote write: whether models see rates, and how often they alarm.

    .venv/bin/python -m benchmarks.node_exporter --json
    .venv/bin/python -m benchmarks.node_exporter --capture node.json.gz   # takes two minutes; then:
    .venv/bin/python -m benchmarks.node_exporter --from node.json.gz

Debian's prometheus-node-exporter is scraped for a while, once a second. Of what was seen an hour is made, for as many machines as
give a thousand series: counters grow by what they grew by in seconds drawn at random, gauges have the values of seconds drawn
at random, and both go together. A machine is started again after two thirds: its counters begin at 0. It is sent as Prometheus
sends it: remote write 1.0, a request for each 500 samples of a scrape, and each minute the metadata in requests of their own.

`alarms_per_1000`: alarming rows of a thousand, in the first ten minutes of scores (`start`), in the five minutes from the restart on
of the machine that was started again (`reset`) and of the others then (`beside`), and in the rest. `most_at_once`: of all series, the largest
share that alarms at one scrape. `raw_totals`: counters whose rows are running totals.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import cramjam
import numpy as np
from sqlalchemy import select

from benchmarks.machine import machine
from benchmarks.running import Engine, free_port
from htmengine import config
from htmengine.doors import protobuf
from htmengine.repository import metrics, schema
from htmengine.repository.opening import open_database

SERIES: Final = 1000
SCRAPE_S: Final = 15
HOUR_S: Final = 3600
START_S: Final = 600
RESET_S: Final = 300
SAMPLES_PER_REQUEST: Final = 500
METADATA_EVERY_S: Final = 60
STORED_WITHIN_S: Final = 900.0

_LINE: Final = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_TYPES: Final = {"counter": 1, "gauge": 2, "summary": 5}
_UNTYPED_GAUGES: Final = ("_CurrEstab", "_Forwarding")
_MESSAGES: Final = protobuf.Messages(
    "benchmarks.node_exporter",
    {
        "Label": [(1, "string", "name"), (2, "string", "value")],
        "Sample": [(1, "double", "value"), (2, "int64", "timestamp")],
        "TimeSeries": [(1, "repeated Label", "labels"), (2, "repeated Sample", "samples")],
        "Metadata": [(1, "int32", "type"), (2, "string", "metric_family_name"), (4, "string", "help")],
        "WriteRequest": [(1, "repeated TimeSeries", "timeseries"), (3, "repeated Metadata", "metadata")],
    },
)


class Exposition(NamedTuple):
    """What an exporter said, scrape by scrape, a second apart."""

    types: dict[str, str]
    """By family."""
    series: list[tuple[str, dict[str, str]]]
    """Name and labels."""
    values: list[list[float]]
    """Of each scrape, in the order of the series."""

    def counts(self) -> np.ndarray[Any, Any]:
        """Return which series are running totals."""
        return np.array([self._counts(name) for name, _ in self.series])

    def _counts(self, name: str) -> bool:
        kind = self.types.get(name) or ("counter" if name.endswith(("_sum", "_count")) else "gauge")
        # Those of /proc/net/snmp and /proc/vmstat come without a type.
        return kind == "counter" or (kind == "untyped" and not name.endswith(_UNTYPED_GAUGES))


def parsed(text: str) -> tuple[dict[str, str], dict[tuple[str, tuple[tuple[str, str], ...]], float]]:
    """Return types by family, and values by name and labels."""
    types, values = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            types[family] = kind
        elif found := _LINE.fullmatch(line):
            values[found[1], tuple(_LABEL.findall(found[2] or ""))] = float(found[3])
    return types, values


def captured(seconds: int, folder: Path) -> Exposition:
    """Scrape node_exporter once a second."""
    port = free_port()
    command = ["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{port}"]
    with (folder / "exporter.log").open("wb") as log:
        exporter = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        scrapes: list[dict[Any, float]] = []
        types: dict[str, str] = {}
        due = time.monotonic()
        while len(scrapes) < seconds:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
                    types, values = parsed(answer.read().decode())
                scrapes.append(values)
            except OSError:
                if exporter.poll() is not None:
                    raise
            due += 1
            time.sleep(max(0.0, due - time.monotonic()))
    finally:
        exporter.terminate()
        exporter.wait()
    always = [key for key in scrapes[0] if all(key in scrape for scrape in scrapes)]
    return Exposition(
        types,
        [(name, dict(labels)) for name, labels in always],
        [[scrape[key] for key in always] for scrape in scrapes],
    )


class Machine:
    """A machine whose hour is made of an exposition."""

    def __init__(self, exposition: Exposition, rng: np.random.Generator) -> None:
        self._values = np.array(exposition.values)
        self._growth = np.maximum(np.diff(self._values, axis=0), 0.0)
        self._counts = exposition.counts()
        self._grows = self._counts | np.array([name == "node_time_seconds" for name, _ in exposition.series])
        self._rng = rng
        self._totals = self._values[-1].copy()

    def start_again(self) -> None:
        """Let all counters begin at 0."""
        self._totals[self._counts] = 0.0

    def scrape(self) -> np.ndarray[Any, Any]:
        """Return the values of the next scrape."""
        seconds = self._rng.integers(0, len(self._growth), SCRAPE_S)
        self._totals += self._growth[seconds].sum(axis=0)
        scraped: np.ndarray[Any, Any] = np.where(self._grows, self._totals, self._values[seconds[-1] + 1])
        return scraped


class Found(NamedTuple):
    """What the engine made of it."""

    series: int
    rows: int
    raw_totals: list[str]
    alarms: int
    alarms_per_1000: dict[str, float]
    most_at_once: float
    loudest: dict[str, int]
    """Alarming rows of the series that have most."""


def measured(exposition: Exposition, folder: Path, *, machines: int, duration_s: int, seed: int = 1) -> Found:
    """Send a time of some machines to a new engine, wait for all scores, and return what it made of it."""
    rng = np.random.default_rng(seed)
    hosts = [Machine(exposition, rng) for _ in range(machines)]
    scrapes = duration_s // SCRAPE_S
    reset = scrapes * 2 // 3
    began = int(time.time()) // SCRAPE_S * SCRAPE_S - scrapes * SCRAPE_S
    http_port = free_port()
    engine = Engine(folder / "data", free_port(), http_port=http_port)
    engine.start()
    try:
        _wait_for_the_web_server(engine, http_port)
        address = f"http://127.0.0.1:{http_port}/api/v1/write"
        for number in range(scrapes):
            if number == reset:
                hosts[0].start_again()
            at_ms = 1000 * (began + number * SCRAPE_S)
            for host, one in enumerate(hosts):
                for body in _requests(exposition, f"host{host}:9100", one.scrape(), at_ms):
                    _post(address, body)
            if number * SCRAPE_S % METADATA_EVERY_S == 0:
                _post(address, _metadata(exposition))
        _wait_for_scores(folder / "data")
        engine.stop()
    finally:
        engine.kill()
    return _judged(exposition, folder / "data", began, began + reset * SCRAPE_S)


def _wait_for_the_web_server(engine: Engine, port: int) -> None:
    while engine.running:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError("the engine has ended")


def _requests(
    exposition: Exposition, instance: str, values: np.ndarray[Any, Any], at_ms: int
) -> Iterator[bytes]:
    for first in range(0, len(values), SAMPLES_PER_REQUEST):
        request = _MESSAGES.classes["WriteRequest"]()
        some = slice(first, first + SAMPLES_PER_REQUEST)
        for (name, labels), value in zip(exposition.series[some], values[some].tolist(), strict=True):
            series = request.timeseries.add()
            whole = {"__name__": name, "instance": instance, "job": "node", **labels}
            for key, text in sorted(whole.items()):
                series.labels.add(name=key, value=text)
            series.samples.add(value=value, timestamp=at_ms)
        yield request.SerializeToString()


def _metadata(exposition: Exposition) -> bytes:
    request = _MESSAGES.classes["WriteRequest"]()
    for family, kind in exposition.types.items():
        request.metadata.add(
            type=_TYPES.get(kind, 0), metric_family_name=family, help="As node_exporter says it."
        )
    return bytes(request.SerializeToString())


def _post(address: str, body: bytes) -> None:
    headers = {
        "Content-Encoding": "snappy",
        "Content-Type": "application/x-protobuf",
        "User-Agent": "Prometheus/2.42.0",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    }
    data = bytes(cramjam.snappy.compress_raw(body))
    with urllib.request.urlopen(urllib.request.Request(address, data, headers), timeout=60) as answer:
        if answer.status != 204:
            raise RuntimeError(f"answered {answer.status}")


def _wait_for_scores(data: Path) -> None:
    """Wait until all rows that are stored are scored, and no more are stored."""
    database = open_database(config.embedded(data).repository)
    before, deadline = None, time.monotonic() + STORED_WITHIN_S
    try:
        while time.monotonic() < deadline:
            with database.read() as conn:
                now = [(one.uid, one.last_rowid, one.scored_rowid) for one in metrics.custom(conn)]
            if now and now == before and all(last == scored for _, last, scored in now):
                return
            before = now
            time.sleep(2)
    finally:
        database.close()
    raise TimeoutError("the scores did not come")


def _judged(exposition: Exposition, data: Path, began: int, reset: int) -> Found:
    counts = dict(zip([name for name, _ in exposition.series], exposition.counts().tolist(), strict=True))
    database = open_database(config.embedded(data).repository)
    metric, row = schema.metric.c, schema.metric_data.c
    try:
        with database.read() as conn:
            found = conn.execute(
                select(metric.name, row.timestamp, row.metric_value, row.log_score).where(
                    metric.uid == row.uid
                )
            ).all()
    finally:
        database.close()
    phases: Counter[str] = Counter()
    alarms: Counter[str] = Counter()
    at_once: Counter[float] = Counter()
    loudest: Counter[str] = Counter()
    first_values: dict[str, list[float]] = {}
    for name, timestamp, value, score in found:
        seconds = _epoch(timestamp)
        if seconds < began + START_S:
            phase = "start"
        elif reset <= seconds < reset + RESET_S:
            phase = "reset" if "instance=host0:" in name else "beside"
        else:
            phase = "rest"
        phases[phase] += 1
        first_values.setdefault(name, []).append(value)
        if score is not None and score >= schema.ALARM_LOG_SCORE:
            alarms[phase] += 1
            at_once[seconds] += 1
            loudest[name] += 1
    raw = [
        name
        for name, values in first_values.items()
        if counts.get(name.partition(";")[0]) and len(values) > 2 and _is_total(values)
    ]
    per_1000 = {phase: round(1000 * alarms[phase] / rows, 3) for phase, rows in sorted(phases.items())}
    return Found(
        series=len(first_values),
        rows=len(found),
        raw_totals=sorted(raw),
        alarms=alarms.total(),
        alarms_per_1000=per_1000 | {"all": round(1000 * alarms.total() / max(1, len(found)), 3)},
        most_at_once=round(max(at_once.values(), default=0) / max(1, len(first_values)), 4),
        loudest=dict(loudest.most_common(10)),
    )


def _is_total(values: list[float]) -> bool:
    """Whether values only grow but for one reset, and do grow."""
    steps = np.diff(values)
    return bool((steps < 0).sum() <= 1 and (steps > 0).sum() > len(steps) / 2)


def _epoch(naive: datetime) -> float:
    return float(naive.replace(tzinfo=UTC).timestamp())


def save(exposition: Exposition, path: Path) -> None:
    """Write an exposition, compressed."""
    path.write_bytes(gzip.compress(json.dumps(exposition._asdict()).encode(), mtime=0))


def load(path: Path) -> Exposition:
    """Return what `save` wrote."""
    found = json.loads(gzip.decompress(path.read_bytes()))
    return Exposition(found["types"], [(name, labels) for name, labels in found["series"]], found["values"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--capture", type=Path, metavar="FILE", help="only scrape, and write what was seen")
    parser.add_argument("--from", dest="source", type=Path, metavar="FILE", help="what was seen before")
    parser.add_argument("--seconds", type=int, default=120, help="of scraping")
    parser.add_argument("--minutes", type=int, default=HOUR_S // 60, help="that are made of it")
    parser.add_argument("--series", type=int, default=SERIES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        exposition = load(arguments.source) if arguments.source else captured(arguments.seconds, Path(folder))
        if arguments.capture:
            save(exposition, arguments.capture)
            return
        machines = -(-arguments.series // len(exposition.series))
        found = measured(
            exposition,
            Path(folder),
            machines=machines,
            duration_s=60 * arguments.minutes,
            seed=arguments.seed,
        )
    result = {"machines": machines, **found._asdict()}
    if arguments.json:
        print(json.dumps(result | {"machine": machine()}))
        return
    for name, value in result.items():
        print(f"{name:16} {value}")


if __name__ == "__main__":
    main()
