"""The metric storer as a program: with the router beside it, which works where there are several metric-data queues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from htmengine.runtime.metric_storer import router, stage
from htmengine.service.context import Context
from htmengine.service.following import following_work
from htmengine.service.program import Work
from htmengine.service.supervisor import Supervisor

WORKS: Final[Mapping[str, Work]] = {
    router.NAME: following_work(router.build, router.NAME, router.need),
    stage.NAME: following_work(stage.build, stage.NAME, stage.need),
}
"""What stores samples, by name, in the order of a sample's way."""


def work(context: Context) -> None:
    """Store samples until `context.stop` is set. Of all routers one is active; the others stand by."""
    supervisor = Supervisor(WORKS, context)
    supervisor.start()
    supervisor.wait()
