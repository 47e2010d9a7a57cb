"""The whole in the numbers of one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from htmengine.web.fleet import Fleet
from htmengine.web.shapes import Overview, Trouble, number

UNUSUAL_S: Final = 300.0
"""A metric is unusual now if it had an alarm within this time."""


def overview(
    fleet: Fleet, now: float, *, open_incidents: int, lag_s: float | None, troubles: Sequence[Trouble]
) -> Overview:
    """Return whether anything is wrong now, with the metrics and with the engine itself."""
    fleet.advance(now)
    with fleet.lock:
        metrics, unusual = len(fleet), int(fleet.unusual(UNUSUAL_S).sum())
        samples = int(fleet.column("last_rowid").sum())
        monitored = int(fleet.monitored().sum())
        last_alarm = number(np.fmax.reduce(fleet.column("alarm_time"))) if metrics else None
    return Overview(
        incidents_open=open_incidents,
        unusual=unusual,
        metrics=metrics,
        lag_s=lag_s,
        engine="trouble" if troubles else "well",
        troubles=list(troubles),
        samples_total=samples,
        monitored=monitored,
        calm_since=None if unusual or open_incidents else last_alarm,
    )
