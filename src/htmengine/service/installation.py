"""The installation that an application's calls mean: the one that APPLICATION_CONFIG_PATH names, unless `using` names another.

It is opened on first use, once for the process. Within `using(settings)` it is another:

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
from typing import Final

from htmengine import config
from htmengine.service.context import Context, opened

_inside: Final[ContextVar[Context | None]] = ContextVar("_inside", default=None)


@contextmanager
def using(settings: config.Settings) -> Iterator[None]:
    """Open another installation for what is called within, and close it at the end."""
    with opened(settings) as context:
        token = _inside.set(context)
        try:
            yield
        finally:
            _inside.reset(token)


def current() -> Context:
    """Return the installation, open. Raises ApplicationNotConfiguredError where none is named."""
    inside = _inside.get()
    if inside is not None:
        return inside
    return _configured(config.required_config_dir(), os.getpid())


def close() -> None:
    """Close what `current` has opened for a configuration; the next call opens it again."""
    while _opened:
        process_id, stack = _opened.pop()
        if process_id == os.getpid():
            stack.close()
    _configured.cache_clear()


_opened: Final[list[tuple[int, ExitStack]]] = []


@lru_cache
def _configured(directory: Path, process_id: int) -> Context:
    """Return the installation of a configuration, opened for the rest of the process.

    `process_id` is this process: a forked child must not share the connections of its parent.
    """
    if not _opened:
        atexit.register(close)
    stack = ExitStack()
    context = stack.enter_context(opened(config.load(directory)))
    _opened.append((process_id, stack))
    return context
