"""What this machine can carry, as `htmengine capacity` measured it."""

from __future__ import annotations

from msgspec import Struct

from htmengine.repository import overview
from htmengine.service import capacity
from htmengine.service.capacity import Limit, Measured
from htmengine.web.operations import Call, Operations

operations = Operations()


class PromiseShape(Struct, frozen=True):
    """How many metrics can be watched at an interval."""

    interval_s: int
    metrics: int
    limit: Limit
    """What allows no more."""
    history_days: float
    """For how long rows of so many metrics stay."""


class CapacityShape(Struct, frozen=True):
    """What was measured, what it promises, and how much of it is used."""

    measured: Measured | None
    """None before `htmengine capacity` was called; so are the others."""
    promises: list[PromiseShape]
    models: int
    """Metrics that have a model now."""
    models_promised: int | None
    """That find room in memory."""
    samples_per_second_promised: float | None


@operations("GET", "/capacity", "read")
def capacity_now(call: Call) -> CapacityShape:
    """Say how many metrics at which interval this machine can watch, for how many days of history, and what the limit is."""
    context = call.site.context
    measured = capacity.load(context.settings)
    with context.database.read() as conn:
        models = overview.totals(conn).monitored
    if measured is None:
        return CapacityShape(None, [], models, None, None)
    return CapacityShape(
        measured,
        [PromiseShape(*promise) for promise in capacity.promises(measured)],
        models,
        capacity.promised_models(measured),
        capacity.promised_rate(measured),
    )
