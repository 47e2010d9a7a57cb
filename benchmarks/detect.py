"""How long people wait for `htmengine detect`: a process that starts, reads a file and prints; and for its help.

    .venv/bin/python -m benchmarks.detect --rows 10000 --runs 5 --json

The file is made here: a day's rhythm with noise, a row every 5 minutes. Medians over the runs, in seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.machine import machine

STEP = timedelta(minutes=5)
ROWS_A_DAY = timedelta(days=1) // STEP


def write_series(path: Path, rows: int) -> None:
    """Write a CSV file with a time and a value column."""
    noise = random.Random(1)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    with path.open("w") as file:
        file.write("timestamp,value\n")
        for i in range(rows):
            value = 100.0 + 30.0 * math.sin(2.0 * math.pi * i / ROWS_A_DAY) + noise.gauss(0.0, 3.0)
            file.write(f"{start + i * STEP:%Y-%m-%d %H:%M:%S},{value:.3f}\n")


def seconds(*arguments: str) -> float:
    """Return how long the command takes, from the start of its process to the end."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "htmengine.cli", *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "series.csv"
        write_series(source, options.rows)
        report = {
            "machine": machine(),
            "rows": options.rows,
            "runs": options.runs,
            "help_s": statistics.median(seconds("detect", "--help") for _ in range(options.runs)),
            "detect_s": statistics.median(seconds("detect", str(source)) for _ in range(options.runs)),
        }
    if options.json:
        print(json.dumps(report))
        return
    print(f"help: {report['help_s']:.2f} s, {options.rows} rows: {report['detect_s']:.2f} s")


if __name__ == "__main__":
    main()
