"""Serves the page over fixed answers, to work on it or to measure it, without an engine.

.venv/bin/python -m tests.page
.venv/bin/python -m tests.page --metrics 5000 --rate 1000 --port 2090
"""

import argparse
import random
import time

from tests.page import fleet
from tests.page.fake_server import Server, World

BATCH_S = 0.1


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--metrics", type=int, default=0, help="as many plain metrics instead of the fleet")
    parser.add_argument("--rate", type=int, default=0, help="results a second on the stream")
    parser.add_argument("--port", type=int, default=2090)
    arguments = parser.parse_args()
    names = [f"load.{i:05d}.value" for i in range(arguments.metrics)] or fleet.NAMES
    world = World(names)
    for name in names:
        world.row(name)
    server = Server(world, port=arguments.port)
    print(
        f"{server.url} (its now is {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime(fleet.NOW))})", flush=True
    )
    rng, rowid = random.Random(7), 10**6
    while True:
        time.sleep(BATCH_S)
        rowid += 1
        size = round(arguments.rate * BATCH_S)
        if size and world.listeners:
            chosen = rng.sample(names, min(size, len(names)))
            world.push(
                "results",
                [
                    [fleet.uid_of(one), rowid, time.time(), rng.random(), rng.random() ** 6, None]
                    for one in chosen
                ],
            )


if __name__ == "__main__":
    main()
