"""What a model costs: time per record, bytes of state, time to save and load.

    .venv/bin/python -m benchmarks.kernel --csv FILE --params default --json
    .venv/bin/python -m benchmarks.kernel --csv FILE --params default --models 1000 --json
    .venv/bin/python -m benchmarks.kernel --csv FILE --models 100000 --trained 4000 --records 20 --json
    .venv/bin/python -m benchmarks.kernel --csv FILE --params nupic-tm --predict 1 5 --json

One thread. Without ``--models`` one model scores the file (its state stays in the processor's caches: warm). With it, so
many models of the same set are fed round-robin, one sample each in turn, as a fleet does (cold: each finds its state
evicted by the others); with ``--trained`` these have scored so many rows before, as those of a fleet have. Medians are over the records after the first 2000 (or the second half of a shorter file). The
file is an NAB file or any other with columns timestamp and value.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import zstandard

from benchmarks.machine import machine
from htmengine.htm import params
from htmengine.htm.arrays import FloatArray
from htmengine.htm.model import Model
from htmengine.htm.pool import Pool
from htmengine.model_swapper.checkpoint import LEVEL

WARM_UP = 2000
DIFFERENT = 50
"""So many models are trained; a fleet of trained models has copies of them."""


def read(path: Path) -> tuple[FloatArray, FloatArray]:
    """Return timestamps in seconds and values of a CSV file with columns timestamp and value."""
    with path.open(newline="") as file:
        rows = [(row["timestamp"], float(row["value"])) for row in csv.DictReader(file)]
    times = [datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp() for stamp, _ in rows]
    return np.array(times), np.array([value for _, value in rows])


def parameters_for(name: str, values: FloatArray, predict: Sequence[int]) -> params.Parameters:
    """Return a parameter set as the pipeline would derive it: ranges from the first rows only."""
    if name == "default":
        return params.parameter_set(name, predict=predict)
    minimum, maximum = params.infer_range(values[: params.ROWS_FOR_RANGE])
    return params.parameter_set(name, minimum=minimum, maximum=maximum, predict=predict)


def median_us(action: Callable[[], object], repeats: int = 15) -> float:
    """Return the median time of an action in microseconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter_ns()
        action()
        times.append((time.perf_counter_ns() - start) / 1e3)
    return statistics.median(times)


def one_model(parameters: params.Parameters, times: FloatArray, values: FloatArray) -> dict[str, object]:
    """Time one model record by record, then its block."""
    model = Model(parameters)
    # Whole records and stages are timed in turns, record by record.
    nanoseconds = model.kernel.time_series(times, values)[min(WARM_UP, len(times) // 2) // 2 * 2 :]
    whole = nanoseconds[1::2, -1] / 1e3
    by_stage = nanoseconds[0::2, :-1] / 1e3
    block = model.save()
    return {
        "records": len(times),
        "us_per_record_median": float(np.median(whole)),
        "us_per_record_mean": float(np.mean(whole)),
        "us_per_record_p99": float(np.percentile(whole, 99)),
        "us_by_stage": dict(zip(model.kernel.stages, np.median(by_stage, axis=0).tolist(), strict=True)),
        "state_bytes": len(block),
        "state_bytes_zstd": stored_bytes(block),
        "save_us": median_us(model.save),
        "load_us": median_us(lambda: Model.load(block)),
    }


def many_models(
    parameters: params.Parameters, times: FloatArray, values: FloatArray, count: int, trained: int = 0
) -> dict[str, object]:
    """ModelInputBuilder many models round-robin; they start at different places in the file's values.

    The first ``trained`` rows are scored beforehand, by DIFFERENT models, of which the others are copies.
    """
    different = min(count, DIFFERENT) if trained else count
    starts = np.arange(count) % different * 997
    pool: Pool[int] = Pool()
    blocks = []
    for i in range(different):
        model = Model(parameters)
        model.score_series(times[:trained], values[(starts[i] + np.arange(trained)) % len(values)])
        pool.add(i, model)
        blocks.append(model.save() if trained else b"")
    for i in range(different, count):
        pool.add(i, Model.load(blocks[i % different]))
    keys = list(range(count))
    us_per_record = []
    for row in range(trained, len(times)):
        batch = values[(starts + row) % len(values)]
        start = time.perf_counter_ns()
        pool.score(keys, np.full(count, times[row]), batch)
        us_per_record.append((time.perf_counter_ns() - start) / 1e3 / count)
    some = [pool[i].save() for i in range(0, different, max(1, different // 20))]
    stored = [stored_bytes(block) for block in some]
    return {
        "models": count,
        "records": len(us_per_record) * count,
        "us_per_record_median": statistics.median(us_per_record[min(WARM_UP, len(us_per_record) // 2) :]),
        "state_bytes": int(statistics.median(map(len, some))),
        "state_bytes_max": max(map(len, some)),
        "state_bytes_zstd": int(statistics.median(stored)),
    }


def stored_bytes(block: bytes) -> int:
    """Return how many bytes the engine stores for a model's block."""
    return len(zstandard.ZstdCompressor(level=LEVEL).compress(block))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.kernel", description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=Path, required=True, help="file with columns timestamp and value")
    parser.add_argument("--params", default="default", choices=params.NAMES)
    parser.add_argument("--models", type=int, default=1, help="feed so many models round-robin")
    parser.add_argument(
        "--predict", type=int, nargs="*", default=(), metavar="STEPS", help="make predictions so far ahead"
    )
    parser.add_argument(
        "--trained", type=int, default=0, help="rows that many models have scored before (default: 0)"
    )
    parser.add_argument("--records", type=int, help="measure only so many records, the first ones")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    arguments = parser.parse_args()
    times, values = read(arguments.csv)
    if arguments.records:
        times, values = (column[: arguments.trained + arguments.records] for column in (times, values))
    if arguments.trained >= len(times):
        parser.error(f"--trained leaves no row of {len(times)} to measure")
    parameters = parameters_for(arguments.params, values, arguments.predict)
    if arguments.models == 1:
        result = one_model(parameters, times, values)
    else:
        result = many_models(parameters, times, values, arguments.models, arguments.trained)
    result |= {"params": arguments.params, "csv": arguments.csv.name, "machine": machine()}
    print(json.dumps(result) if arguments.json else json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
