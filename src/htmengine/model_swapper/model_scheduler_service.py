"""The model scheduler: feeds every sample to its metric's model, in the order of rowids, and passes the scores on.

`python -m htmengine.model_swapper.model_scheduler_service` runs it alone; the stage is in `model_swapper/scheduler.py`.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from htmengine.bus import Bus, QueueStatus
from htmengine.model_swapper.checkpoint_store import open_checkpoint_store
from htmengine.model_swapper.scheduler import NAME, ModelScheduler
from htmengine.model_swapper.suspected_losses import Ages
from htmengine.system.memory import give_back

if TYPE_CHECKING:
    from htmengine.service.context import Context


def build(context: Context) -> ModelScheduler:
    """Return the stage for a program's context."""
    settings = context.settings
    threads = getattr(context.options, "concurrency", None)
    if threads:
        settings = settings.with_scheduler(threads=threads)
    queues = [settings.results_shard_queue(shard) for shard in range(context.shards)]
    return ModelScheduler(
        settings,
        context.database,
        open_checkpoint_store(settings, context.database),
        shards=context.shards,
        results_ages=_results_ages(context.bus, queues),
        clock=context.clock,
        timer=context.timer,
        step=context.step,
        progress=context.progress.moved,
        give_back=give_back,
    )


def _results_ages(bus: Bus, queues: Sequence[str]) -> Ages:
    """Return what tells the ages of shards' results queues."""

    def ages(shards: Collection[int]) -> dict[int, float | None]:
        found = {status.name: status for status in bus.status([queues[shard] for shard in shards])}
        return {shard: _age(found.get(queues[shard])) for shard in shards}

    return ages


def _age(status: QueueStatus | None) -> float | None:
    if status is None or not status.ready + status.unacked:
        return None
    return math.inf if status.oldest_age_s is None else status.oldest_age_s


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--concurrency", type=int, metavar="N", help="threads that score [default: settings]")


def main() -> None:
    """Run the service until SIGTERM or SIGINT."""
    from htmengine.service import program

    sys.exit(program.run_program(program.stage_work(build, NAME), NAME, arguments=_arguments))


if __name__ == "__main__":
    main()
