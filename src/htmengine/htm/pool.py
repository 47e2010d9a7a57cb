"""Many models: score a batch of (model, sample) pairs in one call."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from htmengine.htm import _kernels
from htmengine.htm.arrays import FloatArray
from htmengine.htm.explanation import Explanation, SeriesScores
from htmengine.htm.model import Model, checked_series

Key = TypeVar("Key", bound=Hashable)

SCORED, MISSING, OUT_OF_ORDER, UNREADABLE = 0, 1, 2, 3


class BatchScores(NamedTuple):
    """Scores of a batch, and the outcome of each sample."""

    scores: SeriesScores
    """Shape (n,) each; NaN where nothing was scored."""
    outcomes: NDArray[np.uint8]
    """Shape (n,): SCORED; MISSING for a sample without a value; OUT_OF_ORDER for one that was refused because its
    timestamp goes back, which changed nothing; UNREADABLE for one of a packed model whose state is damaged."""
    predictions: list[dict[int, float] | None] | None = None
    """For each sample what its model predicts: the likeliest value by number of samples ahead; None where nothing was
    scored or the model has no classifier. None altogether if no model of the batch has one."""
    why: Mapping[int, Explanation] = MappingProxyType({})
    """By place in the batch the explanations that were asked for."""


class Pool(Generic[Key]):
    """Models by key, scored together. Use a pool from one thread at a time.

    A model may be added, removed and used by itself at any time between two calls: the pool holds no state of its own.
    """

    def __init__(self) -> None:
        self._kernel = _kernels.Pool()
        self._slots: dict[Key, int] = {}
        self._models: dict[Key, Model] = {}
        self._keys: dict[int, Key] = {}  # by identity of the model

    def __len__(self) -> int:
        """Return the number of models."""
        return len(self._models)

    def __contains__(self, key: object) -> bool:
        """Tell whether a model has this key."""
        return key in self._models

    def __iter__(self) -> Iterator[Key]:
        """Iterate over the keys."""
        return iter(self._models)

    def __getitem__(self, key: Key) -> Model:
        """Return the model with this key."""
        return self._models[key]

    def add(self, key: Key, model: Model) -> None:
        """Add a model. Raises ValueError when the key is taken or the model is in the pool already."""
        if key in self._models:
            raise ValueError(f"{key!r}: the pool has a model with this key")
        if id(model) in self._keys:
            raise ValueError(f"{key!r}: this model is in the pool as {self._keys[id(model)]!r}")
        self._keys[id(model)] = key
        self._slots[key] = self._kernel.add(model.kernel)
        self._models[key] = model

    def remove(self, key: Key) -> Model:
        """Take a model out and return it. Raises KeyError when there is none with this key."""
        model = self._models.pop(key)
        del self._keys[id(model)]
        self._kernel.remove(self._slots.pop(key))
        return model

    def score(
        self,
        keys: Sequence[Key],
        timestamps: ArrayLike,
        values: ArrayLike,
        *,
        threads: int = 1,
        explain_from: float = math.inf,
    ) -> BatchScores:
        """Score a batch of samples, each by the model with its key, without holding the interpreter's lock.

        The samples of one model are scored one after the other in the order given, models side by side. How samples
        are split over batches or threads changes no score.

        Parameters
        ----------
        keys : length n.
        timestamps, values : shape (n,), as in `Model.score_series`.
        threads : how many threads may work at a time, at least 1.
        explain_from : log score from which a sample is explained, if its model can.

        Raises
        ------
        KeyError : no model has one of the keys; nothing was scored.
        ValueError : lengths differ, a timestamp is not finite, or there are no threads; nothing was scored.
        TypeError : timestamps or values are of another type than there; nothing was scored.
        """
        if threads < 1:
            raise ValueError(f"threads is {threads}, but must be at least 1")
        times, series = checked_series(timestamps, values)
        if len(keys) != len(times):
            raise ValueError(f"{len(keys)} keys for {len(times)} samples")
        slots = np.fromiter((self._slots[key] for key in keys), dtype=np.uint32, count=len(keys))
        scores, predictions, outcomes, explanations = self._kernel.score(
            slots, times, series, threads, explain_from
        )
        return BatchScores(
            SeriesScores(*scores.T),
            outcomes,
            self._by_steps(keys, predictions, outcomes) if predictions.size else None,
            {place: Explanation.of(found) for place, found in explanations},
        )

    def _by_steps(
        self, keys: Sequence[Key], predictions: FloatArray, outcomes: NDArray[np.uint8]
    ) -> list[dict[int, float] | None]:
        steps = (self._prediction_steps(key) for key in keys)
        return [
            dict(zip(ahead, values, strict=False)) if ahead and outcome == SCORED else None
            for ahead, values, outcome in zip(steps, predictions.tolist(), outcomes, strict=True)
        ]

    def _prediction_steps(self, key: Key) -> tuple[int, ...]:
        return self._models[key].prediction_steps
