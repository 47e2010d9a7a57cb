"""Errors of the documented Python API, under their documented names."""

from typing import Any


class HTMEngineError(Exception):
    """Base of all of them."""


class ObjectNotFoundError(HTMEngineError):
    """No such metric, or no such row."""


class ApplicationNotConfiguredError(HTMEngineError, KeyError):
    """APPLICATION_CONFIG_PATH is not set."""


class ObjectAlreadyExistsBase(HTMEngineError):
    """There is one already; `uid` says which."""

    def __init__(self, *args: Any, uid: str) -> None:
        super().__init__(*args)
        self.uid = uid


class MetricAlreadyExists(ObjectAlreadyExistsBase):
    """A metric has this name."""


class MetricAlreadyMonitored(ObjectAlreadyExistsBase):
    """The metric has a model, or has had an error since it got one."""


class MetricNotMonitoredError(HTMEngineError):
    """The metric has no model."""


class MetricNotSupportedError(HTMEngineError):
    """Nothing can be done with a metric of this kind."""


class MetricNotActiveError(HTMEngineError):
    """The metric's model does not run."""


class MetricStatisticsNotReadyError(HTMEngineError):
    """The metric has no rows to take minimum and maximum from."""


class MetricStatusChangedError(HTMEngineError):
    """Somebody else changed the metric's status meanwhile."""


class DuplicateRecordError(HTMEngineError):
    """The record exists already."""
