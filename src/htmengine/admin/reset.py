"""An installation as it was before its first start: nothing stored, nothing on its way."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from htmengine import config
from htmengine.bus import BusError, BusUnavailable
from htmengine.bus.opening import open_bus
from htmengine.errors import ExplainedError
from htmengine.model_swapper.checkpoint_store import FILE
from htmengine.repository import provisioning, queue_layout
from htmengine.repository.errors import RepositoryError
from htmengine.repository.migrations import upgrade
from htmengine.repository.opening import open_database


class ServicesRun(ExplainedError):
    """Services of the installation run."""


def reset(settings: config.Settings) -> None:
    """Delete metrics, samples, models and what waits in the engine's queues, and make the tables anew.

    Raises
    ------
    ServicesRun : services still take from the queues; nothing was deleted.
    RepositoryUnavailable, RepositoryError, BusError : the database or the broker cannot be used.
    """
    epoch = _epoch(settings)
    if taken := _taken_from(settings, epoch):
        # On deleted files they would go on unnoticed, and what they accept would be gone.
        raise ServicesRun(
            f"Services still run, and take from {', '.join(taken)}.",
            hint="Stop every service first; nothing was deleted.",
        )
    provisioning.drop(settings.repository)
    if settings.checkpoint_root is not None:
        provisioning.remove_file(settings.checkpoint_root / FILE)
    if settings.bus == "embedded" and settings.bus_path is not None:
        provisioning.remove_file(settings.bus_path)
    else:
        _empty_broker(settings, epoch)
    create(settings)


def _taken_from(settings: config.Settings, epoch: int) -> list[str]:
    """Return the queues of the engine that somebody takes from."""
    if settings.bus == "embedded" and not (settings.bus_path and settings.bus_path.exists()):
        return []
    try:
        bus = open_bus(settings)
    except BusUnavailable:
        raise
    except BusError:
        if settings.bus == "embedded":
            return []  # nobody takes from a file that is damaged, and a reset mends it
        raise
    try:
        return [queue.name for queue in bus.status(_queues(settings, epoch)) if queue.consumers]
    finally:
        bus.close()


def _epoch(settings: config.Settings) -> int:
    """Return how often the number of metric-data queues was changed, as far as that can be read."""
    database = open_database(settings.repository)
    try:
        with database.read() as conn:
            return queue_layout.read(conn).epoch
    except (RepositoryError, DBAPIError):
        return 0  # there are no tables, or damaged ones: a reset mends them
    finally:
        database.close()


def _queues(settings: config.Settings, epoch: int) -> list[str]:
    """Return the engine's queues, however many there were."""
    by_shard = (settings.model_input_queue, settings.results_shard_queue)
    return [
        settings.listener.queue,
        *(
            settings.data_queue(one, part)
            for one in range(max(0, epoch - 1), epoch + 1)
            for part in range(config.MAX_DATA_QUEUES)
        ),
        *(name(shard) for shard in range(config.MAX_SHARDS) for name in by_shard),
    ]


def _empty_broker(settings: config.Settings, epoch: int) -> None:
    """Delete the engine's queues and the dead letters; not those of applications."""
    bus = open_bus(settings)
    try:
        for queue in _queues(settings, epoch):
            bus.delete_queue(queue)
        for one in range(epoch + 1):
            bus.close_gate(settings.data_gate(one))
        while letters := bus.dead_letters():
            bus.discard([letter.id for letter in letters])
    finally:
        bus.close()


def create(settings: config.Settings) -> None:
    """Make the database where there is none yet, and bring its tables to the newest schema. Raises as `provisioning.create`."""
    provisioning.create(settings.repository)
    database = open_database(settings.repository)
    try:
        upgrade(database, settings.shards)
    finally:
        database.close()
