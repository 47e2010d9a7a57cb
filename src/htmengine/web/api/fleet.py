"""All metrics at once: the numbers of one sentence, and how many alarmed over time."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta, Struct

from htmengine.repository.fleet import alarming
from htmengine.web import problems
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import Problem
from htmengine.web.shapes import FleetStrip, Overview, Time
from htmengine.web.site import Site

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
    counts = _alarming_in_memory(site, first * step, int(until) + 1, step)
    if counts is None:
        with site.context.database.read() as conn:
            counts = alarming(conn, first * step, int(until) + 1, step)
    times = [(first + cell) * step for cell in range(cells)]
    return FleetStrip(step, times, [counts.get(time, 0) for time in times], [len(site.fleet)] * cells)


def _alarming_in_memory(site: Site, since: int, until: int, step: int) -> dict[int, int] | None:
    """Return how many metrics alarmed in each step; None if the server does not remember all of it."""
    fleet = site.fleet
    with fleet.lock:
        if since < fleet.alarms.since:
            return None
        indexes, times, _ = fleet.alarms.between(since, until)
        size = len(fleet) + 1
    once = np.unique(((times - since) // step).astype(np.int64) * size + indexes)
    numbers, counts = np.unique(once // size, return_counts=True)
    return {
        since + number * step: count for number, count in zip(numbers.tolist(), counts.tolist(), strict=True)
    }
