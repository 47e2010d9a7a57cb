"""What functions of targets work with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from htmengine.graphite.series import Series
from htmengine.graphite.target import Argument


class Evaluation(Protocol):
    """Evaluates expressions for a time: the slots behind `start` up to `end`, in seconds since the epoch."""

    @property
    def start(self) -> int:
        """From where on."""

    @property
    def end(self) -> int:
        """Up to where."""

    def at(self, start: int, end: int) -> Evaluation:
        """Return the same for another time."""

    def evaluate(self, expression: Argument) -> list[Series]:
        """Return the series of an expression. Raises TargetError."""

    def metric(self, number: int, column: str | None = None, name: str | None = None) -> Series:
        """Return the series of a metric."""

    def constant(self, name: str, value: float) -> Series:
        """Return a series that has one value from begin to end."""

    def tagged(self, conditions: Sequence[str]) -> list[Series]:
        """Return the series whose tags fulfil conditions."""
