"""Which samples of a batch become rows, and which rowids they get.

A metric's rows go forward in time, one row for a second at most: of several values for one time the first wins, and what
is older than the metric's newest row is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from htmengine.doors.reasons import Reason
from htmengine.doors.samples import Samples
from htmengine.repository import identity
from htmengine.repository.metrics import MetricState
from htmengine.repository.samples import Advance


class NewSamples(NamedTuple):
    """Samples that are to become rows, in the order in which they came."""

    names: list[str]
    timestamps: list[int]
    """Whole seconds since the epoch, rounded down."""
    values: list[float]


class NumberedRows(NamedTuple):
    """Rows to insert, in columns; a metric's rows in the order of their rowids."""

    uids: list[str]
    rowids: list[int]
    timestamps: list[int]
    values: list[float]
    digests: list[int]
    advances: list[Advance]
    """How far each of the metrics moves."""
    refused: Counter[tuple[Reason, str]]
    """Number of samples that became no row, by reason and metric."""
    examples: dict[tuple[Reason, str], str]
    """One of them, as text."""


def whole_seconds(samples: Samples) -> NewSamples:
    """Return samples with the seconds that rows have."""
    return NewSamples(
        samples.names, [int(timestamp // 1) for timestamp in samples.timestamps], samples.values
    )


class _Tail:
    """Where a metric's rows end while samples are added."""

    __slots__ = ("digest", "rowid", "state", "timestamp")

    def __init__(self, state: MetricState) -> None:
        self.state = state
        self.rowid = state.last_rowid
        self.timestamp = state.tail_timestamp if state.tail_timestamp is not None else -(1 << 62)
        self.digest = state.tail_digest or identity.start(state.last_rowid, state.tail_timestamp)


def number(samples: NewSamples, states: Mapping[str, MetricState]) -> NumberedRows:
    """Give rowids to samples in the order in which they came; `states` has every name of theirs."""
    tails = {name: _Tail(state) for name, state in states.items()}
    uids: list[str] = []
    rowids: list[int] = []
    timestamps: list[int] = []
    values: list[float] = []
    digests: list[int] = []
    hashes = identity.hashes(samples.timestamps, samples.values)
    refused: Counter[tuple[Reason, str]] = Counter()
    examples: dict[tuple[Reason, str], str] = {}
    for name, timestamp, value, own in zip(*samples, hashes, strict=True):
        tail = tails[name]
        if timestamp <= tail.timestamp:
            reason = Reason.DUPLICATE if timestamp == tail.timestamp else Reason.OLDER
            refused[reason, name] += 1
            if (reason, name) not in examples:
                examples[reason, name] = f"{name} {value!r} {timestamp}"
            continue
        tail.timestamp = timestamp
        tail.rowid += 1
        tail.digest = (tail.digest + own) & identity.MASK
        uids.append(tail.state.uid)
        rowids.append(tail.rowid)
        timestamps.append(timestamp)
        values.append(value)
        digests.append(tail.digest)
    advances = [
        Advance(tail.state.uid, tail.state.last_rowid, tail.rowid, tail.timestamp, tail.digest)
        for tail in tails.values()
        if tail.rowid > tail.state.last_rowid
    ]
    return NumberedRows(uids, rowids, timestamps, values, digests, advances, refused, examples)
