"""An installation as it was before its first start: nothing stored, nothing on its way."""

from __future__ import annotations

from htmengine import config
from htmengine.bus.opening import open_bus
from htmengine.model_swapper.checkpoint_store import FILE
from htmengine.repository import databases
from htmengine.repository.engine import open_engine
from htmengine.repository.migrations import upgrade


def reset(settings: config.Settings) -> None:
    """Delete metrics, samples, models and what waits in the engine's queues, and make the tables anew.

    No service may run meanwhile.

    Raises
    ------
    RepositoryUnavailable, RepositoryError, BusError : the database or the broker cannot be used.
    """
    databases.drop(settings.repository)
    if settings.checkpoint_root is not None:
        databases.remove_file(settings.checkpoint_root / FILE)
    if settings.bus == "embedded" and settings.bus_path is not None:
        databases.remove_file(settings.bus_path)
    else:
        _empty_broker(settings)
    create(settings)


def _empty_broker(settings: config.Settings) -> None:
    """Delete the engine's queues, however many shards there were, and the dead letters; not those of applications."""
    bus = open_bus(settings)
    try:
        bus.delete_queue(settings.listener.queue)
        for shard in range(config.MOST_SHARDS):
            bus.delete_queue(settings.model_input_queue(shard))
            bus.delete_queue(settings.results_shard_queue(shard))
        while letters := bus.dead_letters():
            bus.discard([letter.id for letter in letters])
    finally:
        bus.close()


def create(settings: config.Settings) -> None:
    """Make the database where there is none yet, and bring its tables to the newest schema. Raises as `databases.create`."""
    databases.create(settings.repository)
    engine = open_engine(settings.repository)
    try:
        upgrade(engine, settings.shards)
    finally:
        engine.dispose()
