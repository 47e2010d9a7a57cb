"""The operations of the API: a module for each kind of resource."""

from typing import Final

from htmengine.web.api import (
    alarms,
    alert_rules,
    alerts,
    backfill,
    backtest,
    capacity,
    data,
    detect,
    events,
    fleet,
    health,
    incidents,
    jobs,
    labels,
    metrics,
    monitoring,
    rules,
    session,
    stream,
    tokens,
)
from htmengine.web.operations import Operation

OPERATIONS: Final[tuple[Operation, ...]] = tuple(
    operation
    for module in (
        session,
        fleet,
        metrics,
        data,
        alarms,
        incidents,
        labels,
        alerts,
        alert_rules,
        events,
        monitoring,
        rules,
        backfill,
        backtest,
        detect,
        jobs,
        tokens,
        health,
        capacity,
        stream,
    )
    for operation in module.operations.all
)
"""All of them, in the order of the documentation."""
