"""What every datasource adapter offers, and the registry of them by the name of their datasource."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from htmengine.bus import Bus
from htmengine.config import Settings
from htmengine.exceptions import ApplicationNotConfiguredError
from htmengine.repository.migrations import installed_shards

if TYPE_CHECKING:
    from htmengine.repository.database import Database

Adapter = TypeVar("Adapter", bound="type[DatasourceAdapterIface]")


class DatasourceAdapterIface(ABC):
    """Creates, monitors and deletes the metrics of one datasource. Safe to use from several threads.

    A class of an application's own sets `_DATASOURCE`, and registers itself by the decorator
    `@DatasourceAdapterIface.registerDatasourceAdapter`.
    """

    _DATASOURCE: ClassVar[str]
    _registry: ClassVar[dict[str, type[DatasourceAdapterIface]]] = {}

    def __init__(self, database: Database, bus: Bus | None, settings: Settings) -> None:
        """The bus's queues must have been declared, and the repository made.

        `bus` : None where the caller itself sends the commands to the scheduler.
        """
        self._database = database
        self._bus = bus
        self._settings = settings

    @cached_property
    def _shards(self) -> int:
        with self._database.read() as conn:
            shards = installed_shards(conn)
        if shards is None:
            raise ApplicationNotConfiguredError("the repository has no tables yet; run: htmengine db upgrade")
        return shards

    @staticmethod
    def registerDatasourceAdapter(adapter: Adapter) -> Adapter:  # noqa: N802
        """Make a class known under its `_DATASOURCE`. Raises AssertionError where another class has that name."""
        registry, name = DatasourceAdapterIface._registry, adapter._DATASOURCE
        if name in registry:
            raise AssertionError(
                f'an adapter for the datasource "{name}" is registered already: {registry[name]}'
            )
        registry[name] = adapter
        return adapter

    @staticmethod
    def registered() -> Mapping[str, Callable[[Database, Bus, Settings], DatasourceAdapterIface]]:
        """Return the registered classes by the names of their datasources."""
        return dict(DatasourceAdapterIface._registry)

    @abstractmethod
    def monitorMetric(self, modelSpec: Mapping[str, Any]) -> str:  # noqa: N802, N803
        """Give a metric a model and return the metric's uid, which is the model's id too."""

    @abstractmethod
    def activateModel(self, metricId: str) -> None:  # noqa: N802, N803
        """Start the model of a metric that waits for data."""

    @abstractmethod
    def unmonitorMetric(self, metricId: str) -> None:  # noqa: N802, N803
        """Delete a metric's model; its samples stay."""

    @abstractmethod
    def exportModel(self, metricId: str) -> dict[str, Any]:  # noqa: N802, N803
        """Return a monitored metric's specification and samples, for `importModel`."""

    @abstractmethod
    def importModel(self, spec: Mapping[str, Any]) -> str:  # noqa: N802
        """Create and monitor what `exportModel` returned, and return the metric's uid."""

    @abstractmethod
    def getMatchingResources(self, aggSpec: Mapping[str, Any]) -> Any:  # noqa: N802, N803
        """Return the resources that an aggregation would gather."""

    @abstractmethod
    def getInstanceNameForModelSpec(self, spec: Mapping[str, Any]) -> str | None:  # noqa: N802
        """Return the resource that a specification names, None where it names none."""
