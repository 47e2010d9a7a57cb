"""An installation as it was before its first start: nothing stored, nothing on its way."""

from __future__ import annotations

from htmengine import config
from htmengine.bus import BusError, BusUnavailable
from htmengine.bus.opening import open_bus
from htmengine.errors import ExplainedError
from htmengine.model_swapper.checkpoint_store import FILE
from htmengine.repository import provisioning
from htmengine.repository.migrations import upgrade
from htmengine.repository.opening import open_database
from htmengine.service.data_queues import DataQueues


class ServicesRun(ExplainedError):
    """Services of the installation run."""


def reset(settings: config.Settings) -> None:
    """Delete metrics, samples, models and what waits in the engine's queues, and make the tables anew.

    Raises
    ------
    ServicesRun : services still take from the queues; nothing was deleted.
    RepositoryUnavailable, RepositoryError, BusError : the database or the broker cannot be used.
    """
    if taken := _taken_from(settings):
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
        _empty_broker(settings)
    create(settings)


def _taken_from(settings: config.Settings) -> list[str]:
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
        return [queue.name for queue in bus.status(_queues(settings)) if queue.consumers]
    finally:
        bus.close()


def _queues(settings: config.Settings) -> list[str]:
    """Return the engine's queues, however many there were."""
    by_shard = (settings.model_input_queue, settings.results_shard_queue)
    return [
        *DataQueues.of(settings, config.MAX_DATA_QUEUES).every,
        *(name(shard) for shard in range(config.MAX_SHARDS) for name in by_shard),
    ]


def _empty_broker(settings: config.Settings) -> None:
    """Delete the engine's queues and the dead letters; not those of applications."""
    bus = open_bus(settings)
    try:
        for queue in _queues(settings):
            bus.delete_queue(queue)
        while letters := bus.dead_letters():
            bus.discard([letter.id for letter in letters])
    finally:
        bus.close()


def create(settings: config.Settings) -> None:
    """Make the database where there is none yet, and bring its tables to the newest schema. Raises as `provisioning.create`."""
    provisioning.create(settings.repository)
    database = open_database(settings.repository)
    try:
        upgrade(database, settings.shards, settings.data_queues or 1)
    finally:
        database.close()
