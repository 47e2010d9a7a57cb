"""What the operations work with: the installation, the server's memory, the stream, and who may do what."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from htmengine.admin.explaining import Explained, explain
from htmengine.admin.health import Health, MetricCounts, health_of
from htmengine.admin.taught_past import TaughtPasts
from htmengine.runtime.metric_storer.division import Division
from htmengine.service.context import Context
from htmengine.web.access import Access
from htmengine.web.feed import Feed
from htmengine.web.fleet import Fleet
from htmengine.web.groups import Groupings
from htmengine.web.jobs import Jobs
from htmengine.web.overview import overview
from htmengine.web.ranking import Rankings
from htmengine.web.search import NameMatches
from htmengine.web.shapes import Explanation, Overview
from htmengine.web.static import Page
from htmengine.web.stream import Hub
from htmengine.web.watch import Watch


@dataclass
class Site:
    """The server's state; all of it but the installation is a cache."""

    context: Context
    access: Access
    page: Page
    fleet: Fleet = field(default_factory=Fleet)
    hub: Hub = field(default_factory=Hub)
    rankings: Rankings = field(default_factory=Rankings)
    name_matches: NameMatches = field(default_factory=NameMatches)
    groupings: Groupings = field(default_factory=Groupings)
    clock: Callable[[], float] = time.time
    look: Callable[[Context, MetricCounts | None], Health] = health_of
    """Knows the state of the engine."""
    explain: Callable[[Context, str, int], Explained] = explain
    """Knows why a row of a metric got its scores."""
    record: str | None = None
    """What is served, if it is no installation but a record that nothing is added to."""
    jobs: Jobs = field(default_factory=Jobs)
    explanations: dict[tuple[str, int, int], Explanation] = field(default_factory=dict)
    """Those that were asked for last, by uid, generation and rowid."""
    taught_pasts: TaughtPasts = field(default_factory=TaughtPasts)
    division: Division = field(init=False)
    """Knows the queue of each sample that is sent here."""
    feed: Feed = field(init=False)
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        """Make what fills the memory; it works from `start` on."""
        self.division = Division(self.context.settings.storer, "web")
        self.watch = Watch(self.context, look=self.look, clock=self.clock)
        self.feed = Feed(self.context, self.fleet, self.hub, self.access, self.watch, clock=self.clock)
        self.feed.tell_health = lambda: self.hub.publish("health", self.overview())

    async def start(self) -> None:
        """Fill the memory, and keep it up to date; readers of the stream are woken in the running event loop."""
        self.hub.attach()
        await asyncio.to_thread(self.feed.start)

    def overview(self) -> Overview:
        """Return whether anything is wrong now. Raises what `Watch.health` raises."""
        return overview(
            self.fleet,
            self.clock(),
            open_incidents=len({member.incident for member in self.fleet.open_members.values()}),
            lag_s=self.watch.lag_s(),
            troubles=self.watch.troubles(),
        )

    def close(self) -> None:
        """End readers of the stream, and what works in the background."""
        self.hub.close()
        self.feed.close()
        self.jobs.close()
