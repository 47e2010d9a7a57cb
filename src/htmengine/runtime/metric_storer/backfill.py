"""Live samples of a metric wait while its history is being sent.

A backfill sends old samples of a metric as fast as it can. A live sample that became a row meanwhile would make all
older ones of the history come too late, so it is held until the history is complete, and becomes a row then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from htmengine.messages import Backfill
from htmengine.repository.backfill import Run
from htmengine.runtime.metric_storer.numbering import NewSamples

TIMEOUT_S: Final = 60
"""A backfill without a message for so long is over: its sender has died."""

MAX_HELD: Final = 1 << 30

Held = list[tuple[int, float]]
"""Timestamps and values."""


class Batch(NamedTuple):
    """The samples of one message."""

    samples: NewSamples
    backfill: Backfill | None


class Plan(NamedTuple):
    """What to do with the samples of some batches."""

    samples: NewSamples
    """They become rows now, in this order."""
    held: NewSamples
    """They wait."""
    tokens: dict[str, str | None]
    """Backfills that went on, with their tokens, or ended: None. What waited for one that ended is among `samples`."""


def partition(batches: Iterable[Batch], tokens: Mapping[str, str], held_of: Callable[[str], Held]) -> Plan:
    """Return which samples become rows and which wait.

    Parameters
    ----------
    tokens : the backfills that are going on, by the name of the metric.
    held_of : returns what waits for a metric's backfill so far, in the order in which it came.
    """
    going_on = dict(tokens)
    changed: dict[str, str | None] = {}
    now = NewSamples([], [], [])
    held: defaultdict[str, Held] = defaultdict(list)
    released: set[str] = set()
    for samples, backfill in batches:
        own = backfill.metric if backfill else None
        # The end of a run that another has taken over from is not the other's end.
        if backfill and not (
            backfill.done and going_on.get(backfill.metric, backfill.token) != backfill.token
        ):
            going_on[backfill.metric] = changed[backfill.metric] = backfill.token
        else:
            backfill = None
        if going_on:
            _divide(samples, own, going_on, now, held)
        else:
            _extend(now, samples)
        if backfill and backfill.done:
            del going_on[backfill.metric]
            changed[backfill.metric] = None
            waiting = held.pop(backfill.metric, [])
            if backfill.metric not in released:
                waiting = held_of(backfill.metric) + waiting
            released.add(backfill.metric)
            _extend(now, in_time_order(backfill.metric, waiting))
    return Plan(now, _gathered(held), changed)


def together(batches: Iterable[Batch]) -> NewSamples:
    """Return the samples of batches of which none waits."""
    found = NewSamples([], [], [])
    for samples, _ in batches:
        _extend(found, samples)
    return found


def in_time_order(name: str, held: Held) -> NewSamples:
    """Return held samples of a metric by time; of one time, the first that came stays the first."""
    ordered = sorted(held, key=lambda sample: sample[0])
    return NewSamples([name] * len(ordered), [time for time, _ in ordered], [value for _, value in ordered])


class _Heard(NamedTuple):
    """When a backfill was last heard of."""

    mark: int
    """What its row says; another one, when something of it came."""
    at: float
    """By a clock that only grows."""


class Senders:
    """Knows when something of each backfill was last worked on, by whichever storer."""

    def __init__(self) -> None:
        self._heard: dict[Run, _Heard] = {}

    def dead(self, runs: Mapping[Run, int], now: float, waiting_s: float) -> list[Run]:
        """Return the backfills whose sender has died.

        Parameters
        ----------
        runs : those that go on, with the marks of their rows. These are times, but the machine's clock may be set meanwhile.
        now, waiting_s : as for `expired`.
        """
        before = self._heard
        self._heard = {
            run: known if (known := before.get(run)) and known.mark == mark else _Heard(mark, now)
            for run, mark in runs.items()
        }
        return [run for run, heard in self._heard.items() if expired(heard.at, now, waiting_s)]


def expired(heard_at: float, now: float, waiting_s: float) -> bool:
    """Tell whether a backfill's sender has died.

    Parameters
    ----------
    heard_at, now : when its last message was worked on, or it was first seen; and now. Of a clock that only grows.
    waiting_s : age of the oldest message in the queue, 0 when it is empty, infinite when unknown: only what was sent
        before that has been seen, and a message of the backfill may be among the rest.
    """
    return now - waiting_s - heard_at >= TIMEOUT_S


def _divide(
    samples: NewSamples,
    own: str | None,
    going_on: Mapping[str, str],
    now: NewSamples,
    held: defaultdict[str, Held],
) -> None:
    names, timestamps, values = now
    for name, timestamp, value in zip(*samples, strict=True):
        if name in going_on and name != own:
            held[name].append((timestamp, value))
        else:
            names.append(name)
            timestamps.append(timestamp)
            values.append(value)


def _extend(columns: NewSamples, more: NewSamples) -> None:
    columns.names.extend(more.names)
    columns.timestamps.extend(more.timestamps)
    columns.values.extend(more.values)


def _gathered(held: Mapping[str, Held]) -> NewSamples:
    columns = NewSamples([], [], [])
    for name, samples in held.items():
        _extend(
            columns,
            NewSamples([name] * len(samples), [time for time, _ in samples], [value for _, value in samples]),
        )
    return columns
