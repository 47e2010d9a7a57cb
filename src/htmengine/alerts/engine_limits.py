"""From which limits on people are told of the engine itself: the table `[engine]` of `alerts.toml`."""

from __future__ import annotations

from typing import Final, NamedTuple

from htmengine.alerts.toml_tables import Table, duration_from, flag, percent

MIN_S: Final = 60.0
"""Less than this passes by itself too often."""


class Limits(NamedTuple):
    """When something is wrong with the engine."""

    watch: bool = True
    """Whether anybody is told of it."""
    no_samples_s: float = 600.0
    """No sample was stored for so long, where there were some before."""
    lag_s: float = 300.0
    """A sample waits for its score for longer."""
    refused: float = 0.01
    """More than this part of what arrives is refused."""
    disk_free: float = 0.05
    """Less than this part of the disk of the data folder is free."""


def read(table: Table) -> Limits:
    """Return what a table says; its faults are noted."""
    usual = Limits()
    watch = table.get("watch", flag)
    # No other value can be 0.
    found = Limits(
        watch=usual.watch if watch is None else watch,
        no_samples_s=table.get("no_samples_for", duration_from(MIN_S)) or usual.no_samples_s,
        lag_s=table.get("lag", duration_from(MIN_S)) or usual.lag_s,
        refused=table.get("refused", percent) or usual.refused,
        disk_free=table.get("disk_free", percent) or usual.disk_free,
    )
    table.refuse_others()
    return found
