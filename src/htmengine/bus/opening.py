"""Opens the bus that the settings choose."""

from __future__ import annotations

from typing import Final

from htmengine import extras
from htmengine.bus.api import Bus
from htmengine.bus.embedded.bus import EmbeddedBus
from htmengine.config import Settings
from htmengine.errors import ConfigError

SPREAD_S: Final = 1.0
"""Schedulers that start within this time share the shards from the start, also on old brokers."""


def open_bus(settings: Settings) -> Bus:
    """Return the bus that the settings choose.

    Raises
    ------
    ConfigError : the bus is embedded, and the settings say nothing of its place.
    PackageMissing : a broker is chosen, and its client is not installed.
    BusUnavailable, BusError : see `EmbeddedBus` and `RabbitBus`.
    """
    if settings.bus == "rabbitmq":
        extras.require("rabbitmq", "A bus on RabbitMQ")
        from htmengine.bus.rabbitmq.bus import RabbitBus

        return RabbitBus(
            settings.broker,
            application=settings.application,
            plain_queues=[settings.listener.queue],
            ordered_queues=settings.is_data_queue,
            spread_s=SPREAD_S,
        )
    if settings.bus_path is None:
        raise ConfigError(
            "application.conf: [engine] bus = embedded needs a folder, but data_dir is not set.",
            hint="Set data_dir in the section [engine] to a folder on a local disk.",
        )
    return EmbeddedBus(settings.bus_path, cache_bytes=settings.scheduler.small_cache_bytes)
