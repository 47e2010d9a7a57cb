"""Kill -9 the engine while samples come in by doors, and compare what is stored with what was sent.

    python -m tests.acceptance.door_kills remote-write --kills 10
    python -m tests.acceptance.door_kills pickle --kills 10
    python -m tests.acceptance.door_kills intervals --kills 10

remote-write : a real Prometheus scrapes counters of ours, which begin again now and then, and writes them to the engine. Each
    metric must have the rates, and scores, of what Prometheus has in its own database, and nothing else.
pickle : a real carbon relay sends points on. The protocol has no answer: what the relay had given to the connection when the
    engine died may be lost. What was on the queue by then must be stored, once, with the value that was sent.
intervals : samples are sent over HTTP until they are answered, and become rows of intervals, by every aggregation, late
    samples included; some metrics pause, so that the clock ends their intervals.

The engine dies at a step of its own, or at any moment.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import http.server
import itertools
import json
import math
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.running import Engine, free_port
from benchmarks.servers import configure, explained
from htmengine.bus.embedded.tables import queue_of
from htmengine.config import Listener
from htmengine.htm import params
from htmengine.htm.model import Model
from htmengine.messages import decode_metric_lines
from htmengine.service.fault_injection import KILL_VARIABLE
from tests.servers import ServerProcess, require

STORER_STEPS: Final = (
    "metric_storer.committed",
    None,
    "metric_storer.processed",
    "metric_storer.published",
    None,
    "metric_storer.acknowledged",
)
"""Where the engine is killed, in turn; None: at any moment."""
MAX_STEPS: Final = 3
STEP_WITHIN_S: Final = 30.0
WITHIN_S: Final = 300.0
START: Final = 1_700_000_000 // 60 * 60

Rows = dict[str, list[tuple[int, float]]]
"""Times and values by metric."""


class Verdict(NamedTuple):
    """What became of it."""

    killed_at: list[str]
    rows: int
    """That must be there."""
    lost: int
    doubled: int
    different: int
    in_flight: int
    """Sent without an answer when the engine died, and gone."""
    faults: list[str]


class _Victim:
    """An engine that is killed again and again."""

    def __init__(self, folder: Path, steps: Sequence[str | None], kills: int, seed: int) -> None:
        self.chance = random.Random(seed)
        self.http_port, self.pickle_port = free_port(), free_port()
        config = configure(folder / "app")
        settings = config / "application.conf"
        text = settings.read_text()
        settings.write_text(
            text.replace("[metric_listener]", f"[metric_listener]\npickle_port = {self.pickle_port}")
        )
        self.config, self.data = config, folder / "app" / "data"
        self.engine = Engine(self.data, free_port(), config, http_port=self.http_port)
        self.killed_at: list[str] = []
        self._steps = [steps[kill % len(steps)] for kill in range(kills)]

    def kills(self, after_each: Callable[[], None] = lambda: None) -> None:
        """Carry out all kills, and start it once more; something is done after each while it is dead."""
        for step in self._steps:
            wanted = f"{step}:{self.chance.randint(1, MAX_STEPS)}"
            self.engine.start({KILL_VARIABLE: wanted} if step else None)
            if not step or not self._died():
                self._listens()
                time.sleep(self.chance.uniform(0.5, 4.0))
                self.engine.kill()
                wanted = "any moment"
            self.killed_at.append(wanted)
            after_each()
        self.engine.start()
        self._listens()

    def _died(self) -> bool:
        """Return whether the engine dies by itself, as it was told."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if (code := self.engine.wait(STEP_WITHIN_S)) == -signal.SIGKILL:
                return True
            raise RuntimeError(f"the engine ended with {code}: {self.engine.log.read_text()}")
        return False

    def _listens(self) -> None:
        if not self.engine.wait_until_it_listens():
            raise RuntimeError(f"the engine ended: {self.engine.log.read_text()}")

    def wait(self, condition: Callable[[], bool]) -> bool:
        """Wait for something, and return whether it came. Raises RuntimeError when the engine ends before."""
        deadline = time.monotonic() + WITHIN_S
        while not (came := condition()) and time.monotonic() < deadline:
            if not self.engine.running:
                raise RuntimeError(f"the engine ended: {self.engine.log.read_text()}")
            time.sleep(0.2)
        return came

    def rows(self, like: str) -> Rows:
        """Return what is stored of metrics."""
        found: Rows = defaultdict(list)
        with contextlib.closing(sqlite3.connect(self.data / "repository.sqlite")) as database:
            for name, timestamp, value in database.execute(
                "SELECT m.name, unixepoch(d.timestamp), d.metric_value FROM metric_data d JOIN metric m USING (uid)"
                " WHERE m.name LIKE ? ORDER BY d.rowid",
                (like,),
            ):
                found[name].append((timestamp, value))
        return found

    def queued(self) -> list[str]:
        """Return the lines that wait on the metric-data queue; nothing may run."""
        lines = []
        with contextlib.closing(sqlite3.connect(self.data / "bus.sqlite")) as bus:
            queue = bus.execute("SELECT id FROM queue WHERE name = ?", (Listener().queue,)).fetchone()
            for tag, body in bus.execute("SELECT id, body FROM message") if queue else ():
                if queue_of(tag) == queue[0]:
                    lines += decode_metric_lines(body).data
        return lines

    def judge(
        self,
        expected: Rows,
        like: str,
        *,
        may_lack: Callable[[str, int], bool] = lambda name, timestamp: False,
    ) -> Verdict:
        """Wait until everything that must be there is scored, and compare it; the engine is stopped."""
        required = sum(
            not may_lack(name, timestamp) for name, rows in expected.items() for timestamp, _ in rows
        )
        self.wait(lambda: sum(map(len, self.rows(like).values())) >= required)
        faults = []
        # Not asked again: an agent that goes on sending has something on its way soon.
        if not self.wait(self.engine.settled):
            faults.append(self.engine.command("verify", "--settled").stdout.decode())
        if code := self.engine.stop():
            faults.append(f"the engine stopped with exit code {code}")
        stored = self.rows(like)
        lost = doubled = different = in_flight = 0
        for name in expected.keys() | stored.keys():
            wanted, found = dict(expected.get(name, ())), stored.get(name, [])
            times = [timestamp for timestamp, _ in found]
            doubled += len(times) - len(set(times)) + len(set(times) - wanted.keys())
            missing = wanted.keys() - set(times)
            gone = {timestamp for timestamp in missing if may_lack(name, timestamp)}
            lost, in_flight = lost + len(missing - gone), in_flight + len(gone)
            different += sum(wanted.get(timestamp, value) != value for timestamp, value in found)
            different += self._scores(name) != _scores_of(found)
        return Verdict(self.killed_at, required, lost, doubled, different, in_flight, faults)

    def _scores(self, name: str) -> list[float | None]:
        with contextlib.closing(sqlite3.connect(self.data / "repository.sqlite")) as database:
            query = "SELECT d.log_score FROM metric_data d JOIN metric m USING (uid) WHERE m.name = ? ORDER BY d.rowid"
            return [score for (score,) in database.execute(query, (name,))]


def _scores_of(rows: Sequence[tuple[int, float]]) -> list[float]:
    """Return what a model says of rows when nothing disturbs it."""
    if not rows:
        return []
    timestamps, values = zip(*((float(timestamp), value) for timestamp, value in rows), strict=True)
    scores: list[float] = (
        Model(params.parameter_set("default")).score_series(timestamps, values).log_score.tolist()
    )
    return scores


# -- Remote write

COUNTERS: Final = 20


class _Counted:
    """What is scraped: counters that grow by chance and begin again now and then, and a gauge."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._totals = [0.0] * COUNTERS
        counted = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = counted.page()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def page(self) -> bytes:
        """Return the next values."""
        for n in range(COUNTERS):
            began_again = self._chance.random() < 0.05
            grown = self._chance.randint(0, 1000) / 8
            self._totals[n] = grown if began_again else self._totals[n] + grown
        lines = [f'kill_hits_total{{n="{n}"}} {total}' for n, total in enumerate(self._totals)]
        lines.append(f"kill_level {self._chance.random()!r}")
        return ("# TYPE kill_hits_total counter\n" + "\n".join(lines) + "\n").encode()

    def close(self) -> None:
        """End it: it cannot be scraped any more."""
        self._server.shutdown()
        self._server.server_close()


PROMETHEUS: Final = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: kills
    static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
remote_write:
  - url: http://127.0.0.1:{engine}/api/v1/write
    queue_config: {{batch_send_deadline: 1s, max_backoff: 1s}}
"""


def remote_write(folder: Path, *, kills: int, seed: int = 1) -> Verdict:
    """Kill an engine to which Prometheus writes."""
    program = require("prometheus", "prometheus")
    victim = _Victim(folder, ("web.accepted", *STORER_STEPS), kills, seed)
    target = _Counted(seed)
    config, port = folder / "prometheus.yml", free_port()
    config.write_text(PROMETHEUS.format(target=target.port, engine=victim.http_port))
    # It need not try for a minute to write its last samples to an engine that is no more.
    flush = "--storage.remote.flush-deadline=1s"
    options = (f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}", flush)
    prometheus = ServerProcess(
        [program, *options, f"--web.listen-address=127.0.0.1:{port}"],
        lambda: _answers(port),
        folder / "prometheus.log",
    )
    try:
        victim.kills()
        time.sleep(5.0)  # what comes undisturbed
        target.close()
        victim.wait(lambda: _ups(port)[-1][1] == 0.0)
        return victim.judge(_rates(port), "kill%")
    finally:
        victim.engine.kill()
        prometheus.end()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    return False


def _ranges(port: int, query: str) -> dict[str, list[tuple[float, float]]]:
    """Return what Prometheus has stored itself, by the name that the engine gives to the series."""
    parameters = urllib.parse.urlencode({"query": f"{query}[1d]"})
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{parameters}", timeout=60) as answer:
        found = json.load(answer)["data"]["result"]
    ranges = {}
    for series in found:
        labels = dict(series["metric"])
        name = ";".join(
            [labels.pop("__name__"), *(f"{key}={value}" for key, value in sorted(labels.items()))]
        )
        ranges[name] = [(timestamp, float(value)) for timestamp, value in series["values"]]
    return ranges


def _ups(port: int) -> list[tuple[float, float]]:
    """Return when Prometheus could scrape and when not."""
    (ups,) = _ranges(port, 'up{job="kills"}').values()
    return ups


def _rates(port: int) -> Rows:
    """Return the rows that must come of what Prometheus has: what grew, by the second, but not over an end of the series."""
    ends = [timestamp for timestamp, up in _ups(port) if not up]
    expected: Rows = {}
    for name, totals in _ranges(port, "kill_hits_total").items():
        rates: dict[int, float] = {}
        for (before, earlier), (timestamp, total) in itertools.pairwise(totals):
            if total >= earlier and not any(before < end < timestamp for end in ends):
                rates.setdefault(int(timestamp), (total - earlier) / (timestamp - before))
        expected[name] = list(rates.items())
    for name, samples in _ranges(port, "kill_level").items():
        levels: dict[int, float] = {}
        for timestamp, level in samples:
            levels.setdefault(int(timestamp), level)
        expected[name] = list(levels.items())
    return expected


# -- Pickle

POINTS: Final = 20
"""Metrics of which a point is sent at a time."""
PAUSE_S: Final = 0.02
"""Between two points of a metric."""
RELAY: Final = """
[relay]
STORAGE_DIR = {folder}/
CONF_DIR = {folder}/
LOG_DIR = {folder}/
PID_DIR = {folder}/
WHITELISTS_DIR = {folder}/
USER =
LINE_RECEIVER_INTERFACE = 127.0.0.1
LINE_RECEIVER_PORT = {port}
PICKLE_RECEIVER_INTERFACE = 127.0.0.1
PICKLE_RECEIVER_PORT = {pickle}
RELAY_METHOD = consistent-hashing
DESTINATIONS = 127.0.0.1:{engine}
DESTINATION_PROTOCOL = pickle
MAX_QUEUE_SIZE = 10000000
CARBON_METRIC_INTERVAL = 0
"""


def pickle(folder: Path, *, kills: int, seed: int = 1) -> Verdict:
    """Kill an engine to which a carbon relay sends."""
    program = require("graphite-carbon", "carbon-relay")
    victim = _Victim(folder, ("metric_listener.published", *STORER_STEPS), kills, seed)
    port = free_port()
    (folder / "carbon.conf").write_text(
        RELAY.format(folder=folder, port=port, pickle=free_port(), engine=victim.pickle_port)
    )
    (folder / "storage-schemas.conf").write_text("[all]\npattern = .*\nretentions = 60s:1d\n")
    options = (f"--config={folder / 'carbon.conf'}", f"--pidfile={folder / 'pid'}", f"--logdir={folder}")
    relay = ServerProcess(
        [program, "--nodaemon", *options, "start"], lambda: _answers(port), folder / "relay.log"
    )
    accepted: set[tuple[str, int]] = set()

    def note() -> None:
        rows = victim.rows("kill.%")
        accepted.update((name, timestamp) for name in rows for timestamp, _ in rows[name])
        for line in victim.queued():
            name, _, timestamp = line.split(" ")
            accepted.add((name, int(timestamp)))

    try:
        with _sending(port) as sent:
            victim.kills(after_each=note)
            points = len(sent["kill.0"])
            victim.wait(lambda: len(sent["kill.0"]) > points + 50)
        last, _ = sent["kill.0"][-1]
        victim.wait(
            lambda: len(rows := victim.rows("kill.%")) == POINTS and {rows[n][-1][0] for n in rows} == {last}
        )
        note()
        return victim.judge(
            sent, "kill.%", may_lack=lambda name, timestamp: (name, timestamp) not in accepted
        )
    finally:
        victim.engine.kill()
        relay.end()


@contextlib.contextmanager
def _sending(port: int) -> Iterator[Rows]:
    """Send points as lines to a relay until the end of the block; give what was sent."""
    sent: Rows = {f"kill.{n}": [] for n in range(POINTS)}
    ended = threading.Event()

    def send() -> None:
        chance = random.Random(1)
        timestamp = START
        with socket.create_connection(("127.0.0.1", port)) as relay:
            while not ended.wait(PAUSE_S):
                timestamp += 60
                points = [(name, chance.random()) for name in sent]
                relay.sendall("".join(f"{name} {value!r} {timestamp}\n" for name, value in points).encode())
                for name, value in points:
                    sent[name].append((timestamp, value))

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield sent
    finally:
        ended.set()
        thread.join()


# -- Intervals

INTERVAL_S: Final = 60
SAMPLE_EVERY_S: Final = 10
PAUSING_INTERVAL_S: Final = 2
AGGREGATES: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "mean": lambda values: math.fsum(values) / len(values),
    "sum": math.fsum,
    "min": min,
    "max": max,
    "last": lambda values: values[-1],
    "count": lambda values: float(len(values)),
}
PAUSING: Final = "pausing"
RULES: Final = "\n".join(
    [
        "[pods]\npattern = *;pod=*\ndrop_tags = pod\n",
        *(
            f"[{way}]\npattern = kill.{way}.*\ninterval = {INTERVAL_S}s\naggregation = {way}\ndelay = 30s\n"
            for way in AGGREGATES
        ),
        f"[pausing]\npattern = kill.{PAUSING}.*\ninterval = {PAUSING_INTERVAL_S}s\naggregation = sum\n",
        "[everything]\npattern = *\naction = monitor\n",
    ]
)
"""The samples of each metric come under two names."""


def intervals(folder: Path, *, kills: int, seed: int = 1) -> Verdict:
    """Kill an engine that makes rows of intervals of what is sent over HTTP."""
    victim = _Victim(folder, ("web.accepted", *STORER_STEPS), kills, seed)
    (victim.config / "monitor-rules.conf").write_text(RULES)
    sender = _IntervalSender(victim.http_port, seed)
    thread = threading.Thread(target=sender.run, daemon=True)
    thread.start()
    try:
        victim.kills()
        time.sleep(3.0)  # what comes undisturbed
        sender.stop()
        thread.join()
        # The clock has yet to end the last interval, if it has the time.
        return victim.judge(sender.expected(), "kill.%", may_lack=lambda _, end: end > sender.last_s)
    finally:
        sender.stop()
        victim.engine.kill()


class _Sample(NamedTuple):
    metric: str
    timestamp: int
    value: float
    pod: int


class _IntervalSender:
    """Sends samples of a minute after those of the one before, each request until it is answered."""

    def __init__(self, port: int, seed: int) -> None:
        self._address = f"http://127.0.0.1:{port}/api/put"
        self._chance = random.Random(seed)
        self._told_to_stop = threading.Event()
        self._sent: list[_Sample] = []
        self.last_s = START
        """Where the last interval begins that nothing but the clock ends."""

    def stop(self) -> None:
        """End `run` at the end of a minute."""
        self._told_to_stop.set()

    def run(self) -> None:
        """Send until it is told to stop."""
        begin, late = START, list[_Sample]()
        while not self._told_to_stop.is_set():
            late = self._send_minute(begin, late)
            if (
                begin // 60 % 7 < 3
            ):  # in the other minutes these metrics pause, so that the clock ends their intervals
                samples = self._samples([PAUSING], range(begin, begin + 60), pod=1)
                self._send(sorted(samples, key=lambda sample: sample.timestamp))
            begin += 60
            self._told_to_stop.wait(0.5)
        self._send(late)
        self.last_s = begin
        self._send(self._samples(AGGREGATES, [begin + SAMPLE_EVERY_S * 3], pod=1))

    def expected(self) -> Rows:
        """Return the rows that must come of what was sent."""
        by_row: defaultdict[tuple[str, int], list[_Sample]] = defaultdict(list)
        for sample in self._sent:
            interval = PAUSING_INTERVAL_S if PAUSING in sample.metric else INTERVAL_S
            by_row[sample.metric, (sample.timestamp // interval + 1) * interval].append(sample)
        expected: Rows = defaultdict(list)
        for (metric, end), samples in sorted(by_row.items()):
            samples.sort(key=lambda sample: sample.timestamp)
            aggregate = AGGREGATES.get(metric.split(".")[1], math.fsum)
            expected[metric].append((end, aggregate([sample.value for sample in samples])))
        return expected

    def _send_minute(self, begin: int, late: list[_Sample]) -> list[_Sample]:
        """Send a minute but for its last samples, which are returned; those of the minute before come in the middle."""
        times = range(begin, begin + 60, SAMPLE_EVERY_S)
        for pod in (1, 2):
            self._send(self._samples(AGGREGATES, times[:3], pod))
        self._send(late)  # by less than the delay
        for pod in (1, 2):
            self._send(self._samples(AGGREGATES, times[3:-1], pod))
        return [*self._samples(AGGREGATES, times[-1:], 1), *self._samples(AGGREGATES, times[-1:], 2)]

    def _samples(self, ways: Iterable[str], times: Iterable[int], pod: int) -> list[_Sample]:
        """Return a sample of each metric for each time, in no order."""
        samples = [
            _Sample(f"kill.{way}.{n}", timestamp, self._chance.random(), pod)
            for way in ways
            for n in range(2)
            for timestamp in times
        ]
        self._chance.shuffle(samples)
        return samples

    def _send(self, samples: list[_Sample]) -> None:
        """Send samples until somebody says that they are safe."""
        if not samples:
            return
        points = [
            {"metric": metric, "timestamp": timestamp, "value": value, "tags": {"pod": str(pod)}}
            for metric, timestamp, value, pod in samples
        ]
        request = urllib.request.Request(
            self._address, json.dumps(points).encode(), {"Content-Type": "application/json"}
        )
        while True:
            try:
                with urllib.request.urlopen(request, timeout=60):
                    break
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.05)
        self._sent += samples


# -- From the shell

DOORS: Final = {"remote-write": remote_write, "pickle": pickle, "intervals": intervals}


@explained()
def main(argv: Sequence[str] | None = None) -> int:
    """Run it and print what came of it; exit with 1 when something is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.acceptance.door_kills",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("door", choices=list(DOORS))
    parser.add_argument("--kills", type=int, default=10, metavar="N", help="kills of the engine")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the moments, and of the samples")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        verdict = DOORS[options.door](Path(folder), kills=options.kills, seed=options.seed)
    print(json.dumps(verdict._asdict()))
    return int(bool(verdict.lost or verdict.doubled or verdict.different or verdict.faults))


if __name__ == "__main__":
    sys.exit(main())
