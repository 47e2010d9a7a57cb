"""How fast notices go out, and whether a receiver that hangs keeps the others waiting.

    python -m benchmarks.deliveries
    python -m benchmarks.deliveries --notices 1000 --targets 5

So many notices are due to each of some webhooks at once, first while all of them answer, then while one takes connections and
says nothing. Reported are the notices a second until all that answer have theirs, of the slowest, and the processor time for
each.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.command import print_report
from benchmarks.receivers import HttpReceiver, raw_server
from benchmarks.summary import Report
from htmengine import config
from htmengine.alerts import deliveries
from htmengine.alerts.notice import First, MetricFacts, Notice
from htmengine.alerts.sender import Sender
from htmengine.alerts.targets.api import Target
from htmengine.alerts.targets.http import Receiver
from htmengine.alerts.targets.secrets import constant
from htmengine.alerts.targets.webhook import Webhook
from htmengine.repository import migrations
from htmengine.repository.database import Database
from htmengine.repository.opening import open_database

POLL_INTERVAL_S: Final = 0.5
METRICS: Final = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.deliveries", description=__doc__)
    parser.add_argument("--notices", type=int, default=1000, help="to each target (default: 1000)")
    parser.add_argument("--targets", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report: Report = {
        "all answer": measure(options.notices, options.targets, hanging=False),
        "one hangs": measure(options.notices, options.targets, hanging=True),
    }
    print_report(report, one_line=options.json)


def measure(notices: int, targets: int, *, hanging: bool) -> Report:
    """Return how fast those that answer had their notices."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database = open_database(config.Repository(path=folder / "repository.sqlite"))
        stack.callback(database.close)
        migrations.upgrade(database, shards=1)
        receivers = {}
        urls = {}
        for number in range(targets):
            name = f"target{number}"
            if hanging and number == 0:
                port = stack.enter_context(raw_server(lambda connection: None))
                urls[name] = f"http://127.0.0.1:{port}"
            else:
                receivers[name] = HttpReceiver()
                stack.callback(receivers[name].close)
                urls[name] = receivers[name].url
        made: dict[str, Target] = {
            name: Webhook(name, Receiver(constant(url, "url"))) for name, url in urls.items()
        }
        _fill(database, notices, list(made))
        took, cpu = _send(database, made, receivers, notices)
        ids = {
            name: {one.headers["webhook-id"] for one in receiver.requests}
            for name, receiver in receivers.items()
        }
        return {
            "notices_a_second": notices * len(receivers) / max(took.values()),
            "slowest_s": max(took.values()),
            "fastest_s": min(took.values()),
            "cpu_ms_a_notice": 1000 * cpu / (notices * len(receivers)),
            "missing": sum(notices - len(found) for found in ids.values()),
            "repeated": sum(len(receiver.requests) for receiver in receivers.values())
            - sum(map(len, ids.values())),
        }


def _fill(database: Database, notices: int, targets: list[str]) -> None:
    now = time.time()
    metrics = tuple(
        MetricFacts(f"site.host{number}.requests", now, sentence="932 is far above the forecast of 410")
        for number in range(METRICS)
    )
    with database.write() as conn:
        position = deliveries.begin(conn, 0)
        rows = []
        for number in range(notices * len(targets)):
            id_ = position.delivery_id + 1 + number
            said = Notice(
                id=f"i{id_}.1",
                kind="opened",
                time=now,
                installation="here",
                incident=f"i{id_}",
                severity="warning",
                first=First(f"i{id_}.1", "warning", metrics[0].name),
                started=now,
                sentence="began with site.host0.requests: 932 is far above the forecast of 410",
                rule="all",
                first_mover=metrics[0].name,
                metrics=metrics,
                metric_count=METRICS,
            )
            rows.append(deliveries.new(id_, targets[number % len(targets)], said, now, incident=None))
        deliveries.add(conn, rows)
        deliveries.move(conn, position._replace(delivery_id=position.delivery_id + len(rows)))


def _send(
    database: Database, targets: dict[str, Target], receivers: dict[str, HttpReceiver], notices: int
) -> tuple[dict[str, float], float]:
    """Send as the service does until each receiver has everything; return when it had, and the processor time."""
    wake = threading.Event()
    stop = threading.Event()
    sender = Sender(database, targets, stop=stop, wake=wake.set)
    took: dict[str, float] = {}
    began, spent = time.monotonic(), _cpu_s()
    while len(took) < len(receivers):
        wake.clear()
        sender.work()
        wake.wait(POLL_INTERVAL_S)
        for name, receiver in receivers.items():
            if len(receiver.requests) >= notices:
                took.setdefault(name, time.monotonic() - began)
    cpu = _cpu_s() - spent
    stop.set()
    sender.close()
    return took, cpu


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
