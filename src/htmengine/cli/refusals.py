"""Samples that the engine will not store, told before they are lost from sight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from htmengine.cli.terminal import echo_stderr
from htmengine.doors.reasons import Reason
from htmengine.repository import overview, series
from htmengine.service.context import Context

STORED: Final = "stored already"
SAME_SECOND: Final = "another one is of the same second, and a metric has one a second"


def foreseen(context: Context, samples: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Return how many samples will be refused for each reason, as far as the repository tells now.

    A metric takes only samples that are later than its last one. What is still in the queue is not known here.

    Parameters
    ----------
    samples : of each metric the seconds of its samples, in the order in which they are sent.
    """
    refused: Counter[str] = Counter()
    with context.database.read() as conn:
        states = {state.name: state for state in overview.metrics(conn, list(samples))}
        for name, seconds in samples.items():
            state = states.get(name)
            tail = state.tail_timestamp if state else None
            last = -(1 << 62) if tail is None else tail
            stored: frozenset[int] = frozenset()
            if state and tail is not None and min(seconds, default=last + 1) <= tail:
                stored = frozenset(
                    map(int, series.rows_between(conn, state.uid, min(seconds), tail + 1).timestamps)
                )
            sent = set()
            for second in seconds:
                if second > last:
                    last = second
                    sent.add(second)
                else:
                    refused[
                        STORED if second in stored else SAME_SECOND if second in sent else Reason.OLDER.value
                    ] += 1
    return dict(refused)


def tell(refused: Mapping[str, int], total: int) -> int:
    """Say which samples are refused and why; return the command's exit code: 1 if any is lost by it."""
    for reason, count in refused.items():
        echo_stderr(f"{count:,} of {total:,} samples are refused: {reason}.")
    return int(any(reason != STORED for reason in refused))
