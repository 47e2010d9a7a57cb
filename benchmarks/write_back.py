"""How fast scores are written back: rows a second to a real VictoriaMetrics and a real carbon, and the processor's time.

    .venv/bin/python -m benchmarks.write_back
    .venv/bin/python -m benchmarks.write_back --metrics 100 --rows 50 --json

It needs Debian's packages victoria-metrics and graphite-carbon. Each receiver gets the same rows of a repository of its own:
log score, both ends of the usual band, and whether it alarms.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import update

from benchmarks.api import fill
from benchmarks.machine import machine
from benchmarks.render import DAY_ROWS, fill_days
from benchmarks.running import free_port
from htmengine import config
from htmengine.repository import schema, writeback
from htmengine.service.context import Context, opened
from htmengine.service.counters import Counters
from htmengine.writeback.receivers import Graphite, Influx, Receiver, RemoteWrite
from htmengine.writeback.writer import Writer

CARBON: Final = """
[cache]
LOCAL_DATA_DIR = {folder}/whisper/
STORAGE_DIR = {folder}/
CONF_DIR = {folder}/
LOG_DIR = {folder}/
PID_DIR = {folder}/
WHITELISTS_DIR = {folder}/
ENABLE_LOGROTATION = False
USER =
MAX_CACHE_SIZE = inf
MAX_UPDATES_PER_SECOND = 5000
MAX_CREATES_PER_MINUTE = inf
LINE_RECEIVER_INTERFACE = 127.0.0.1
LINE_RECEIVER_PORT = {port}
PICKLE_RECEIVER_INTERFACE = 127.0.0.1
PICKLE_RECEIVER_PORT = {pickle}
CACHE_QUERY_INTERFACE = 127.0.0.1
CACHE_QUERY_PORT = {query}
ENABLE_TAGS = False
"""
SCHEMAS: Final = "[all]\npattern = .*\nretentions = 60s:1d\n"
START_S: Final = 5.0


def carbon_command(folder: Path, port: int) -> list[str]:
    """Write carbon's configuration into a folder, and return the command that starts it."""
    folder.mkdir(exist_ok=True)
    text = CARBON.format(folder=folder, port=port, pickle=free_port(), query=free_port())
    (folder / "carbon.conf").write_text(text)
    (folder / "storage-schemas.conf").write_text(SCHEMAS)
    options = [f"--config={folder / 'carbon.conf'}", f"--pidfile={folder / 'pid'}", f"--logdir={folder}"]
    return ["carbon-cache", "--nodaemon", *options, "start"]


def victoria_metrics_command(folder: Path, port: int) -> list[str]:
    """Return the command that starts VictoriaMetrics, whose answers have what came just before."""
    return [
        "victoria-metrics",
        f"-httpListenAddr=127.0.0.1:{port}",
        f"-storageDataPath={folder / 'data'}",
        "-search.latencyOffset=0s",
    ]


@contextmanager
def running_receivers(folder: Path) -> Iterator[tuple[int, int]]:
    """Give the ports of a VictoriaMetrics and of a carbon's plaintext protocol that run, with their files below a folder."""
    metrics_port, carbon_port = free_port(), free_port()
    (folder / "metrics").mkdir(parents=True)
    commands = (
        victoria_metrics_command(folder / "metrics", metrics_port),
        carbon_command(folder / "carbon", carbon_port),
    )
    running = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    time.sleep(START_S)
    try:
        yield metrics_port, carbon_port
    finally:
        for process in running:
            process.terminate()
            process.wait()


def measured(context: Context, receiver: Receiver, rows: int) -> dict[str, Any]:
    """Write so many rows of each metric to a receiver, and return how long that took."""
    position = schema.writeback_position.c
    with context.database.write() as conn:
        writeback.begin(conn, receiver.name, history=False)
        conn.execute(
            update(schema.writeback_position)
            .where(position.receiver == receiver.name)
            .values(rowid=position.rowid - rows)
        )

    def wait(seconds: float) -> bool:
        time.sleep(seconds)
        return False

    counters = Counters()
    writer = Writer(config.Writeback(), context.database, receiver, counters, wait)
    began, processor = time.perf_counter(), time.process_time()
    writer.work()
    wall_s, processor_s = time.perf_counter() - began, time.process_time() - processor
    writer.close()
    count = counters.snapshot()[f"rows_to_{receiver.name}"]
    return {"rows": count, "rows_s": count / wall_s, "processor_us_row": 1e6 * processor_s / count}


def main() -> None:
    """Measure, and print a table or a line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--metrics", type=int, default=500)
    parser.add_argument("--rows", type=int, default=100, help="Of each metric, at most 400.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    now = int(time.time()) // 60 * 60
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_receivers(folder) as ports, opened(config.embedded(folder / "engine")) as context:
            with context.database.write() as conn:
                uids = fill(conn, options.metrics, 10, now)
            with context.database.write() as conn:
                fill_days(conn, uids, now)
            rows = min(options.rows, 400, DAY_ROWS)
            receivers: list[Receiver] = [
                RemoteWrite(f"http://127.0.0.1:{ports[0]}/api/v1/write", "htm", None),
                Influx(f"http://127.0.0.1:{ports[0]}/write?db=x", "htm", None),
                Graphite("127.0.0.1", ports[1], "htm"),
            ]
            for receiver in receivers:
                measured(context, receiver, 1)  # what is done once is not counted
            found = {receiver.name: measured(context, receiver, rows) for receiver in receivers}
    if options.json:
        print(json.dumps({"machine": machine(), "metrics": options.metrics, "receivers": found}))
        return
    for name, one in found.items():
        print(
            f"{name:14} {one['rows']:8,} rows  {one['rows_s']:9,.0f} rows/s  "
            f"{one['processor_us_row']:6.1f} us of the processor for a row"
        )


if __name__ == "__main__":
    main()
