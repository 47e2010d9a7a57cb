"""Opens the bus that the settings choose."""

from __future__ import annotations

from htmengine.bus import Bus
from htmengine.bus.embedded import EmbeddedBus
from htmengine.config import ConfigError, Settings


def open_bus(settings: Settings) -> Bus:
    """Return the bus that the settings choose.

    Raises
    ------
    ConfigError : the settings choose a bus that this version does not have, or say nothing of its place.
    BusUnavailable, BusError : see `EmbeddedBus`.
    """
    if settings.bus != "embedded":
        raise ConfigError(
            f"application.conf: [engine] bus = {settings.bus} is not available in this version.",
            hint="Set it to embedded.",
        )
    if settings.bus_path is None:
        raise ConfigError(
            "application.conf: [engine] bus = embedded needs a folder, but data_dir is not set.",
            hint="Set data_dir in the section [engine] to a folder on a local disk.",
        )
    return EmbeddedBus(settings.bus_path)
