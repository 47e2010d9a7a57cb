"""What goes through the model swapper's interface: commands, rows and their results, checked when they are made."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

from htmengine.htmengineerrno import SUCCESS


@dataclasses.dataclass(frozen=True)
class ModelCommand:
    """A command to a model: `defineModel`, `cloneModel` or `deleteModel`, with what it needs. Raises AssertionError."""

    commandID: str
    method: str
    args: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        assert isinstance(self.method, str), f"method {self.method!r} is no text"
        assert self.args is None or isinstance(self.args, Mapping), f"args {self.args!r} are no dictionary"


@dataclasses.dataclass(frozen=True)
class ModelCommandResult:
    """The result of a command. Raises AssertionError."""

    commandID: str
    method: str
    status: int
    """Of `htmengine.htmengineerrno`."""
    args: Mapping[str, Any] | None = None
    errorMessage: str | None = None

    def __post_init__(self) -> None:
        _check_status(self.status, self.errorMessage)
        assert self.args is None or (self.status == SUCCESS and isinstance(self.args, Mapping)), (
            f"args {self.args!r} do not belong to status {self.status}"
        )


@dataclasses.dataclass(frozen=True)
class ModelInputRow:
    """A row of input: its number, and a time and a value. Raises AssertionError."""

    rowID: int
    data: Sequence[Any]

    def __post_init__(self) -> None:
        assert isinstance(self.data, list | tuple), f"data {self.data!r} are neither list nor tuple"
        assert self.data, "data are empty"


@dataclasses.dataclass(frozen=True)
class ModelInferenceResult:
    """What a model made of a row. Raises AssertionError."""

    rowID: int
    status: int
    """Of `htmengine.htmengineerrno`."""
    anomalyScore: float | None = None
    """The raw score, 0 to 1; None where it failed."""
    errorMessage: str | None = None
    multiStepBestPredictions: Mapping[Any, Any] | None = None
    """Value by number of steps ahead; None where the model predicts nothing."""

    def __post_init__(self) -> None:
        _check_status(self.status, self.errorMessage)
        predictions = self.multiStepBestPredictions
        if self.status == SUCCESS:
            assert isinstance(self.anomalyScore, numbers.Real), f"score {self.anomalyScore!r} is no number"
            assert predictions is None or isinstance(predictions, Mapping), (
                f"predictions {predictions!r} are no dictionary"
            )
            object.__setattr__(self, "anomalyScore", float(self.anomalyScore))
        else:
            assert self.anomalyScore is None, "a row that failed has no score"
            assert predictions is None, "a row that failed has no predictions"


def _check_status(status: int, error: str | None) -> None:
    assert isinstance(status, int), f"status {status!r} is no whole number"
    if status == SUCCESS:
        assert error is None, f"success has the error {error!r}"
    else:
        assert isinstance(error, str), f"status {status} has no text of its error: {error!r}"
