"""Runs histories from a seed on, tells which break the promise, and the story of the first of them."""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.history import Result, run


def main() -> int:
    """Run, and exit with 1 when a history broke the promise."""
    parser = argparse.ArgumentParser(prog="tests.simulation", description=__doc__)
    parser.add_argument(
        "--histories", type=int, default=1, metavar="N", help="how many [default: %(default)s]"
    )
    parser.add_argument("--seed", type=int, help="of the first; the others follow [default: drawn]")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="[default: one for each core]")
    parser.add_argument(
        "--story", action="store_true", help="tell the story even of a history that is in order"
    )
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 31) if arguments.seed is None else arguments.seed
    print(f"seeds {seed} to {seed + arguments.histories - 1}", flush=True)
    began = time.monotonic()
    broken: list[Result] = []
    with ProcessPoolExecutor(min(arguments.processes, arguments.histories)) as pool:
        for result in pool.map(run, range(seed, seed + arguments.histories), chunksize=4):
            if result.faults:
                broken.append(result)
                print(f"seed {result.seed}: {'; '.join(result.faults)}", flush=True)
            elif arguments.story:
                print("\n".join(result.story))
    print(
        f"{arguments.histories} histories in {time.monotonic() - began:.1f} s, {len(broken)} broke the promise"
    )
    if broken:
        print(f"The story of seed {broken[0].seed}:", *broken[0].story, sep="\n")
    return 1 if broken else 0


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is a part of a history
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    sys.exit(main())
