"""How many metric-data queues an installation has: changed while nobody sends or stores samples."""

from __future__ import annotations

from htmengine import config
from htmengine.bus.opening import open_bus
from htmengine.errors import ExplainedError
from htmengine.repository.database import Database
from htmengine.repository.locks import data_queues, set_data_queues
from htmengine.service.data_queues import DataQueues


class QueuesInUse(ExplainedError):
    """Samples wait in the queues, or are stored."""


def divide(settings: config.Settings, database: Database) -> int:
    """Let an installation have the number of queues that the settings say, if they say one; return how many it has.

    Raises
    ------
    QueuesInUse : samples wait, or a storer runs; nothing was changed.
    BusError : the broker cannot be asked.
    """
    with database.read() as conn:
        before = data_queues(conn)
    wanted = settings.data_queues or before
    if wanted == before:
        return before
    bus = open_bus(settings)
    try:
        queues = bus.status(DataQueues.of(settings, before).every)
    finally:
        bus.close()
    waiting = sum(queue.ready + queue.unacked for queue in queues)
    if waiting or any(queue.consumers for queue in queues):
        raise QueuesInUse(
            f"data_queues = {wanted} was not applied: "
            + (f"{waiting} messages wait to be stored." if waiting else "a storer runs."),
            hint="Stop whatever sends samples, let the storers store what waits (`htmengine status`), stop them, and do it again.",
        )
    with database.write() as conn:
        set_data_queues(conn, wanted)
    return wanted
