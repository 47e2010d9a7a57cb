"""What a metric's model is doing."""

from enum import IntEnum
from typing import Final


class MetricStatus(IntEnum):
    """Of a metric. Bits, so that the statuses of an instance's metrics can be joined."""

    UNMONITORED = 0
    """Samples are stored; there is no model."""
    ACTIVE = 1
    """The model runs."""
    CREATE_PENDING = 2
    """The model was asked for, and is not confirmed."""
    ERROR = 4
    """The model cannot go on; the metric's message says why."""
    PENDING_DATA = 8
    """Monitored, but without enough samples to infer minimum and maximum."""


WITH_MODEL: Final = frozenset({int(MetricStatus.ACTIVE), int(MetricStatus.CREATE_PENDING)})
"""Statuses of metrics whose model takes rows and gives scores. Scores prove a model whose confirmation was lost, so that
they count before it, too."""
WITHOUT_MODEL: Final = frozenset({int(MetricStatus.UNMONITORED), int(MetricStatus.PENDING_DATA)})
"""Statuses of metrics that may get a model: the others have one, or one that failed."""


class OperationLock:
    """Rows of the table `lock`."""

    METRICS = "metrics"
    """Held by whoever creates metrics."""
    ALARMS = "alarms"
    """Held by whoever stores alarms, so that they become visible in the order of their ids."""
    TEACHINGS = "teachings"
    """Held by whoever teaches, for the same reason."""
