"""The simulation finds faults: where what keeps the promise is taken out, some history breaks it.

Each of these faults was in the engine once, or would be easy to make.
"""

from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import pytest

from htmengine.model_swapper.model_cache import CachedModel
from htmengine.model_swapper.suspected_losses import SuspectedLosses
from htmengine.repository import checkpoints, identity, samples, scores
from htmengine.runtime.metric_storer.stage import MetricStorer
from htmengine.runtime.metric_storer.sweep import Sweep
from tests.simulation.history import run
from tests.simulation.machine import Machine
from tests.simulation.parts import SimulatedConsumer

WITHIN = 300
"""So many histories find each fault."""


@contextmanager
def replaced(where, name, make):
    """Put another function in a function's place; `make` gets that one."""
    with patch.object(where, name, make(getattr(where, name))):
        yield


def acknowledged_at_once():
    """Messages are acknowledged before they are worked on."""

    def make(receive):
        def received(self, **limits):
            found = receive(self, **limits)
            if self._bus.process.mortal:
                self.ack(found)
            return found

        return received

    return replaced(SimulatedConsumer, "receive", make)


def acknowledged_before_the_disk():
    """The storer acknowledges lines whose rows a power failure may take."""
    return replaced(
        MetricStorer,
        "process",
        lambda process: lambda self, deliveries: process(self, deliveries)._replace(secure=None),
    )


@contextmanager
def digests_say_nothing():
    """Samples go by their rowids alone: files of different age mix them up."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(identity, "hashes", lambda times, values: [0] * len(times)))
        stack.enter_context(patch.object(CachedModel, "may_follow", lambda self, digest: True))
        yield


def timers_follow_the_clock():
    """Schedules and timeouts go by the clock, which somebody sets."""
    return replaced(Machine, "timer", lambda timer: lambda self: self.clock())


def late_writers_of_checkpoints():
    """Whoever owned a shard once still writes its checkpoints."""
    return replaced(checkpoints, "stale_shards", lambda stale: lambda conn, shards, epochs: frozenset())


def watermarks_that_anyone_moves():
    """A second anomaly service stores scores from where it has read the watermark, wherever that is by now."""
    return replaced(
        scores,
        "advance_watermarks",
        lambda advance: lambda conn, moves: (advance(conn, moves), len(moves))[1],
    )


def rows_that_anyone_numbers():
    """A second storer gives rowids from where it has read the last, wherever that is by now."""
    return replaced(
        samples, "advance_last", lambda advance: lambda conn, moves: (advance(conn, moves), len(moves))[1]
    )


def nobody_sweeps():
    """What was lost between a commit and its publication is not asked for."""
    return replaced(Sweep, "choose", lambda choose: lambda self, behind, waiting_s, now: [])


def nobody_suspects():
    """Scores that were lost are not made again."""
    return replaced(SuspectedLosses, "note", lambda note: lambda self, uid, generation, rowid: None)


@pytest.mark.parametrize(
    "fault",
    [
        acknowledged_at_once,
        acknowledged_before_the_disk,
        digests_say_nothing,
        timers_follow_the_clock,
        late_writers_of_checkpoints,
        watermarks_that_anyone_moves,
        rows_that_anyone_numbers,
        nobody_sweeps,
        nobody_suspects,
    ],
)
def test_a_fault_is_found(fault):
    with fault():
        for seed in range(WITHIN):
            if run(seed).faults:
                return
    pytest.fail(f"{WITHIN} histories found nothing")
