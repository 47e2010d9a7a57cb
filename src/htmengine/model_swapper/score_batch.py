"""What is scored in one round: columns of samples for each shard, and the messages that their scores become."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from htmengine.htm.explanation import Explanation
from htmengine.htm.pool import MISSING, SCORED, BatchScores
from htmengine.messages import Samples, Scores, Why

MAX_SAMPLES: Final = 500
"""In one message of scores."""


class ShardBatch:
    """Samples of one shard, each the next of its model; a model's in the order of their rowids."""

    def __init__(self) -> None:
        self.samples = Samples.empty()
        """With the digests of samples and models."""
        self.suppressed: set[int] = set()
        """Positions whose scores are not given out: they are stored already."""
        self.silenced: dict[int, int] = {}
        """The labels by which samples do not alarm, by position."""

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.samples)

    def messages(self, scored: BatchScores, start: int) -> Iterator[Scores]:
        """Return the messages with this batch's scores, which begin at a position of the batch."""
        end = start + len(self)
        columns = [column[start:end] for column in scored.scores.stored]
        outcomes = scored.outcomes[start:end]
        if outcomes.any():
            # A sample without a value has no score of its own: nothing about it is unusual.
            columns = [np.where(outcomes == MISSING, 0.0, column) for column in columns]
            self.suppressed.update(np.flatnonzero((outcomes != SCORED) & (outcomes != MISSING)).tolist())
        samples = [getattr(self.samples, name) for name in Samples.__struct_fields__]
        of_all: list[list[Any]] = [*samples, *(column.tolist() for column in columns)]
        given = dict(zip(Scores.__struct_fields__, of_all, strict=False))
        expected = [column[start:end] for column in (*scored.scores.expected, scored.scores.one_in)]
        if not all(np.isnan(column).all() for column in expected):
            names = ("forecasts", "usual_lows", "usual_highs", "one_in")
            given |= {name: column.tolist() for name, column in zip(names, expected, strict=True)}
        if scored.predictions is not None and any(scored.predictions[start:end]):
            given["predictions"] = [_named(prediction) for prediction in scored.predictions[start:end]]
        if any(start <= place < end for place in scored.why):
            given["why"] = [why_of(scored.why.get(place)) for place in range(start, end)]
        if self.silenced:
            given["silenced"] = [self.silenced.get(position, 0) for position in range(len(self))]
        shown = [position for position in range(len(self)) if position not in self.suppressed]
        if self.suppressed:
            given = {name: [column[position] for position in shown] for name, column in given.items()}
        for first in range(0, len(shown), MAX_SAMPLES):
            yield Scores(**{name: column[first : first + MAX_SAMPLES] for name, column in given.items()})


def why_of(explanation: Explanation | None) -> Why | None:
    """Return an explanation as messages carry it; None where it names no cause."""
    if explanation is None or explanation.cause is None or explanation.channel is None:
        return None
    return Why(
        cause=explanation.cause,
        channel=explanation.channel,
        forecast=explanation.forecast,
        usual=explanation.usual,
        foreseen=explanation.foreseen(),
        alarms_before=explanation.alarms_before,
        last_alarm=explanation.last_alarm,
    )


def _named(prediction: Mapping[int, float] | None) -> dict[str, float] | None:
    """Return predictions by steps ahead as the message has them; what is not predicted yet is left out."""
    if prediction is None:
        return None
    known = {str(steps): value for steps, value in prediction.items() if math.isfinite(value)}
    return known or None
