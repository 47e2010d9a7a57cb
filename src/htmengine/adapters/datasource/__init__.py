"""Adapters: how applications create, monitor and delete metrics.

    adapter = createDatasourceAdapter("custom")
    uid = adapter.monitorMetric({"datasource": "custom", "metricSpec": {"metric": "cpu.load"}})

The installation is the one that the directory in APPLICATION_CONFIG_PATH describes; it is opened on first use, once for
the process. Within `using(settings)` it is another:

    with using(config.embedded(folder)):
        adapter = createCustomDatasourceAdapter()
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from htmengine import config
from htmengine.adapters.datasource.custom import CustomAdapter
from htmengine.adapters.datasource.interface import DatasourceAdapterIface
from htmengine.config import Settings
from htmengine.exceptions import ApplicationNotConfiguredError

if TYPE_CHECKING:
    from htmengine.runtime.process import Context

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
    context = _context()
    return adapter(context.engine, context.bus, context.settings)


def createCustomDatasourceAdapter() -> CustomAdapter:  # noqa: N802
    """Return an adapter for custom metrics."""
    return cast("CustomAdapter", createDatasourceAdapter(CustomAdapter._DATASOURCE))


def listDatasourceNames() -> tuple[str, ...]:  # noqa: N802
    """Return the names of all datasources."""
    return tuple(DatasourceAdapterIface.registered())


@contextmanager
def using(settings: Settings) -> Iterator[None]:
    """Open another installation for the adapters that are created within, and close it at the end."""
    from htmengine.runtime import process

    with process.opened(settings) as context:
        token = _inside.set(context)
        try:
            yield
        finally:
            _inside.reset(token)


_inside: Final[ContextVar[Context | None]] = ContextVar("_inside", default=None)


def _context() -> Context:
    inside = _inside.get()
    if inside is not None:
        return inside
    directory = config.config_dir_from_environment()
    if directory is None:
        raise ApplicationNotConfiguredError(
            f"{config.CONFIG_PATH_VARIABLE} is not set; set it to the directory that holds application.conf"
        )
    return _configured(directory, os.getpid())


@lru_cache
def _configured(directory: Path, process_id: int) -> Context:
    """Return the installation of a configuration, opened for the rest of the process.

    `process_id` is this process: a forked child must not share the connections of its parent.
    """
    from htmengine.runtime import process

    stack = ExitStack()
    context = stack.enter_context(process.opened(config.load(directory)))

    def close() -> None:
        if os.getpid() == process_id:
            stack.close()

    atexit.register(close)
    return context
