"""The model scheduler: feeds every sample to its metric's model, in the order of rowids, and passes the scores on.

`python -m htmengine.model_swapper.model_scheduler_service` runs it alone; the stage is in `model_swapper/scheduler.py`.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from htmengine.bus import Bus
from htmengine.model_swapper.checkpoint_store import open_checkpoint_store
from htmengine.model_swapper.doubts import Age
from htmengine.model_swapper.scheduler import NAME, ModelScheduler

if TYPE_CHECKING:
    from htmengine.runtime.process import Context


def build(context: Context) -> ModelScheduler:
    """Return the stage for a program's context."""
    settings = context.settings
    threads = getattr(context.options, "concurrency", None)
    if threads:
        settings = msgspec.structs.replace(
            settings, scheduler=msgspec.structs.replace(settings.scheduler, threads=threads)
        )
    queues = [settings.results_shard_queue(shard) for shard in range(context.shards)]
    return ModelScheduler(
        settings,
        context.engine,
        open_checkpoint_store(settings, context.engine),
        shards=context.shards,
        results_age=_results_age(context.bus, queues),
        step=context.step,
    )


def _results_age(bus: Bus, queues: Sequence[str]) -> Age:
    """Return what tells the age of a shard's results queue."""

    def age(shard: int) -> float | None:
        for status in bus.status():
            if status.name == queues[shard] and status.ready + status.unacked:
                return math.inf if status.oldest_age_s is None else status.oldest_age_s
        return None

    return age


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--concurrency", type=int, metavar="N", help="threads that score [default: settings]")


def main() -> None:
    """Run the service until SIGTERM or SIGINT."""
    from htmengine.runtime import process

    sys.exit(process.run_program(process.stage_work(build), NAME, arguments=_arguments))


if __name__ == "__main__":
    main()
