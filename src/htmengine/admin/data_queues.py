"""How many metric-data queues an installation has: changed while samples come."""

from __future__ import annotations

from htmengine import config
from htmengine.errors import ExplainedError, MisuseError
from htmengine.repository import queue_layout
from htmengine.repository.locks import lock_metrics
from htmengine.repository.queue_layout import QueueLayout
from htmengine.service.context import Context


class StillDraining(ExplainedError):
    """What waits in the queues of before is not stored yet."""


def divide(context: Context, number: int) -> QueueLayout:
    """Let an installation have so many queues; return what holds from now on.

    Samples go into the new ones as soon as a storer has taken note, and are stored when the old ones are empty.

    Raises
    ------
    MisuseError : there may not be so many.
    StillDraining : the last change goes on; nothing was changed.
    """
    if not 1 <= number <= config.MAX_DATA_QUEUES:
        raise MisuseError(
            f"{number} is not a number of queues, 1 to {config.MAX_DATA_QUEUES}.",
            hint="Take about four for each storer; 1 where one storer works and the others stand by.",
        )
    with context.database.write() as conn:
        layout = queue_layout.locked(conn)
        if layout.number == number:
            return layout
        if layout.draining:
            raise StillDraining(
                f"The change from {layout.before} to {layout.number} queues is not done yet; nothing was changed.",
                hint="Storers finish it once what waits in the old queues is stored (`htmengine status`): try again then.",
            )
        layout = QueueLayout(number, layout.epoch + 1, layout.number, 1)
        queue_layout.store(conn, layout)
        lock_metrics(conn)  # makes the locks that are missing
    context.queues.look_again()
    return layout
