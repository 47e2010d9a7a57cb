"""Adapters: how applications create, monitor and delete metrics.

    adapter = createDatasourceAdapter("custom")
    uid = adapter.monitorMetric({"datasource": "custom", "metricSpec": {"metric": "cpu.load"}})

The installation is the one that the directory in APPLICATION_CONFIG_PATH describes, or that of `using`; see
`htmengine.runtime.installation`.
"""

from __future__ import annotations

from typing import Any, cast

from htmengine.adapters.datasource.custom import CustomAdapter
from htmengine.adapters.datasource.interface import DatasourceAdapterIface
from htmengine.service.installation import current, using

__all__ = [
    "CustomAdapter",
    "DatasourceAdapterIface",
    "createCustomDatasourceAdapter",
    "createDatasourceAdapter",
    "listDatasourceNames",
    "using",
]


def createDatasourceAdapter(datasource: str) -> Any:  # noqa: N802
    """Return an adapter for a datasource. Raises KeyError where none is registered under this name."""
    adapter = DatasourceAdapterIface.registered()[datasource]
    context = current()
    return adapter(context.database, context.bus, context.settings)


def createCustomDatasourceAdapter() -> CustomAdapter:  # noqa: N802
    """Return an adapter for custom metrics."""
    return cast("CustomAdapter", createDatasourceAdapter(CustomAdapter._DATASOURCE))


def listDatasourceNames() -> tuple[str, ...]:  # noqa: N802
    """Return the names of all datasources."""
    return tuple(DatasourceAdapterIface.registered())
