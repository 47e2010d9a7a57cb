"""All metrics at once: the numbers of one sentence, and how many alarmed over time."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from htmengine.repository.engine import reading
from htmengine.repository.fleet import alarming
from htmengine.web import problems
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import Problem
from htmengine.web.shapes import FleetStrip, Overview, Time

operations = Operations()

DAY_S = 86400.0
MAX_CELLS = 2000


@operations("GET", "/overview", "read", etag=True)
def overview(call: Call) -> Overview:
    """Say in numbers whether anything is wrong now, with the metrics and with the engine itself."""
    return call.site.overview()


class StripQuery(Struct, frozen=True, rename={"from_": "from"}):
    """Which time, in which steps."""

    from_: Time | None = None
    """Without it a day before `to`."""
    to: Time | None = None
    """Without it now."""
    step: Annotated[int, Meta(ge=60, le=604800)] = 300
    """Seconds in a cell; longer ones are taken where there would be more than 2000 cells."""


@operations("GET", "/fleet", "read")
def fleet_strip(call: Call, query: StripQuery) -> FleetStrip:
    """Count the metrics that alarmed in each cell of a time."""
    site = call.site
    until = query.to if query.to is not None else site.clock()
    since = query.from_ if query.from_ is not None else until - DAY_S
    if since > until:
        raise Problem(problems.BAD_REQUEST, f"from={since:g} lies behind to={until:g}.")
    step = query.step
    while (until - since) / step > MAX_CELLS:
        step *= 2
    first = int(since // step)
    cells = int(until // step) - first + 1
    with reading(site.context.engine) as conn:
        counts = alarming(conn, first * step, int(until) + 1, step)
    times = [(first + cell) * step for cell in range(cells)]
    return FleetStrip(step, times, [counts.get(time, 0) for time in times], [len(site.fleet)] * cells)
