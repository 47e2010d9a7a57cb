"""Divides lines among the metric-data queues, by the name that their metric is stored under.

Rules change names, and two names that become one must meet in one queue. So whoever divides reads the rules, as the storer
does. While a rule for names changes, this and the storer may use different ones for a moment; then two storers may write one
metric, which is safe, but a sample may come behind a later one, and be refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, repeat
from typing import Final, NamedTuple

from htmengine import config
from htmengine.doors import names
from htmengine.doors.reasons import BadSample
from htmengine.runtime.metric_storer.intake import Intake
from htmengine.runtime.metric_storer.monitor_rules import RulesFile
from htmengine.service.data_queues import DataQueues

MAX_KNOWN: Final = 1_000_000
"""Names that are kept in memory with their queues."""
CHECK_S: Final = 2.0
"""So often the file of rules is looked at."""


class Part(NamedTuple):
    """Lines for one queue, in their order."""

    lines: Sequence[str]
    peers: Sequence[tuple[int, str]]
    """Who sent them: as in `MetricLines`."""


class Division:
    """Knows the queue of each line.

    Parameters
    ----------
    owner : the service, in the log.
    storer : settings that say where the rules are.
    timer : seconds that only grow.
    """

    def __init__(
        self, storer: config.Storer, owner: str, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._timer = timer
        self._storer = storer
        self._owner = owner
        self._rules: RulesFile | None = None
        self._intake = Intake()
        self._known: dict[str, str] = {}
        """Queues, by the names as they stand in lines."""
        self._known_epoch = -1
        """Of these queues."""
        self._due = timer()

    def of(
        self, queues: DataQueues, lines: Sequence[str], peers: Sequence[tuple[int, str]] = ()
    ) -> Mapping[str, Part]:
        """Return the lines of each of these queues; `peers` as in `MetricLines`."""
        if not queues.parts:
            return {queues.documented: Part(lines, peers)}
        self._look_at_rules()
        if queues.epoch != self._known_epoch:
            self._known, self._known_epoch = {}, queues.epoch
        found: dict[str, tuple[list[str], list[tuple[int, str]]]] = {}
        senders = chain(chain.from_iterable(repeat(peer, count) for count, peer in peers), repeat(""))
        for line, peer in zip(lines, senders):  # noqa: B905 the second has no end
            own, own_peers = found.setdefault(self._of_line(line, queues), ([], []))
            own.append(line)
            if own_peers and own_peers[-1][1] == peer:
                own_peers[-1] = own_peers[-1][0] + 1, peer
            else:
                own_peers.append((1, peer))
        return {queue: Part(own, own_peers if peers else ()) for queue, (own, own_peers) in found.items()}

    def _of_line(self, line: str, queues: DataQueues) -> str:
        sent = line.split(None, 1)[0] if line and not line.isspace() else ""
        queue = self._known.get(sent)
        if queue is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            queue = self._known[sent] = queues.of_name(self._stored_name(sent))
        return queue

    def _stored_name(self, sent: str) -> str:
        try:
            return self._intake.name(names.read(sent))
        except BadSample:  # it will be refused, by whichever storer
            return sent

    def _look_at_rules(self) -> None:
        now = self._timer()
        if self._rules is None:
            storer = self._storer
            self._rules = RulesFile(storer.rules, self._owner, without=storer.rules_without_file)
        elif now < self._due:
            return
        self._due = now + CHECK_S
        if self._rules.has_changed():
            self._known = {}
        self._intake.use(self._rules.rules)
