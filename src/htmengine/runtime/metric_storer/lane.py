"""The lane of new metrics: samples of names that nobody knows wait in it while those of known ones are stored.

To create a metric and to begin its model costs a hundred times what a sample of a known one does. So a transaction creates a
few; what comes of other new names is held, in that transaction, and a few are created between two batches.

A metric's samples leave the lane together, in the order in which they came, and in the transaction that creates it. Until
then every sample of the name is held behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import compress, islice
from typing import Final

from sqlalchemy import Connection

from htmengine.repository import backfill
from htmengine.runtime.metric_storer.numbering import NewSamples
from htmengine.runtime.metric_storer.own_queues import OwnQueues

AT_ONCE: Final = 500
"""So many new metrics are created in one transaction at most."""
WORK_S: Final = 0.2
"""What is done for new metrics between two batches takes about so long at most: so long samples of known ones wait for it."""
SHORT_WORK_S: Final = 0.02
"""What takes no longer need not wait until what came is passed on."""
SHARE_BEHIND: Final = 0.1
"""While the storer takes as many messages as it takes at a time, so that more may wait, it does this share at most of what
can be done for new metrics: what is known among these messages goes first."""
LEAST_SHARE: Final = 0.02


class NewMetricLane:
    """Names whose samples wait. They are in the repository, and here so that nobody has to ask it."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}
        self._foreign: str | None = None
        """Of the names that other storers create, that which had waited longest when it was looked."""

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def see(self, conn: Connection, own: OwnQueues) -> None:
        """Find out what waits of one's own names; of all where no other storer works on the rest.

        Two that create the same metric do no harm: the second finds its samples stored.
        """
        names = backfill.held_without_history(conn)
        foreign = next((name for name in names if name not in own), None)
        forgotten = foreign is not None and foreign == self._foreign
        self._foreign = foreign
        self._names = dict.fromkeys(name for name in names if forgotten or name in own)

    def entered(self, names: Iterable[str]) -> None:
        """Note names of which samples were held, and committed."""
        self._names.update(dict.fromkeys(names))

    def left(self, names: Iterable[str]) -> None:
        """Note names of which nothing is held any more, as is committed."""
        for name in names:
            self._names.pop(name, None)

    def next(self, most: int) -> list[str]:
        """Return the names that have waited longest, at most so many."""
        return list(islice(self._names, most))

    def divide(
        self, samples: NewSamples, known: Container[str], at_once: Container[str], most: int
    ) -> tuple[NewSamples, NewSamples]:
        """Return the samples that may become rows now, and those that have to wait.

        Parameters
        ----------
        known : names of metrics.
        at_once : names that do not wait in any case.
        most : so many of the other names may become metrics now.
        """
        names = dict.fromkeys(samples.names)
        new = [name for name in names if not (name in known or name in at_once or name in self._names)]
        waiting = {*new[most:], *(name for name in names if name in self._names and name not in at_once)}
        if not waiting:
            return samples, NewSamples([], [], [])
        wait = [name in waiting for name in samples.names]
        return _of(samples, [not waits for waits in wait]), _of(samples, wait)


class LaneShare:
    """Which share of what can be done for new metrics between two batches is done, so that others need not wait long.

    Parameters
    ----------
    timer : seconds that only grow.
    """

    def __init__(self, timer: Callable[[], float]) -> None:
        self.behind = False
        """Whether messages may wait."""
        self._timer = timer
        self._last_s = 0.0
        """How long it took the last time,"""
        self._whole_s = 0.0
        """and how long all that can be done would have taken."""
        self._was_put_off = False

    def is_due(self, *, came: bool) -> bool:
        """Whether something is done for new metrics now.

        What came is passed on before what takes long, even if more comes at once: each second time.
        """
        self._was_put_off = came and self._last_s > SHORT_WORK_S and not self._was_put_off
        return not self._was_put_off

    def of(self, most: int) -> int:
        """Return how much of this is done now."""
        return max(1, int(self._share * most))

    @property
    def _share(self) -> float:
        share = WORK_S / max(self._whole_s, WORK_S)
        return max(LEAST_SHARE, min(share, SHARE_BEHIND) if self.behind else share)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Within this, a share is done."""
        began, share = self._timer(), self._share
        yield
        self._last_s = self._timer() - began
        self._whole_s = self._last_s / share


def _of(samples: NewSamples, chosen: Sequence[bool]) -> NewSamples:
    names, timestamps, values = samples
    return NewSamples(
        list(compress(names, chosen)), list(compress(timestamps, chosen)), list(compress(values, chosen))
    )


def taken(conn: Connection, names: Iterable[str]) -> NewSamples:
    """Take out what waits of these names, in the order in which it came."""
    return NewSamples(*backfill.take_held(conn, list(names)))
