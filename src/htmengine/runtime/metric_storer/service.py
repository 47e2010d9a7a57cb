"""The metric storer as a program: with the router beside it, where there are several metric-data queues."""

from __future__ import annotations

from typing import Final

from htmengine.runtime.metric_storer import router, stage
from htmengine.service.context import Context
from htmengine.service.data_queues import DataQueues
from htmengine.service.program import Work, stage_work
from htmengine.service.supervisor import Supervisor

_STORER: Final = stage_work(stage.build, stage.NAME)


def works(data_queues: DataQueues) -> dict[str, Work]:
    """Return what stores samples, by name, in the order of a sample's way."""
    if not data_queues.parts:
        return {stage.NAME: _STORER}
    return {router.NAME: stage_work(router.build, router.NAME), stage.NAME: _STORER}


def work(context: Context) -> None:
    """Store samples until `context.stop` is set. Of all routers one is active; the others stand by."""
    if not context.data_queues.parts:
        _STORER(context)
        return
    supervisor = Supervisor(works(context.data_queues), context)
    supervisor.start()
    supervisor.wait()
