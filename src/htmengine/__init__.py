"""Real-time anomaly detection for scalar metrics with Hierarchical Temporal Memory.

Importing it reads no file: what the documented module attributes say is looked up when they are asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from importlib.metadata import Distribution

    from htmengine.config.files import Config

    __version__: str
    distribution: Distribution
    APP_CONFIG: Config

P = ParamSpec("P")
R = TypeVar("R")

HTMENGINE_HOME: Final = str(Path(__file__).parent)
"""Folder of this package."""


def raiseExceptionOnMissingRequiredApplicationConfigPath(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that raises ApplicationNotConfiguredError where APPLICATION_CONFIG_PATH is not set."""

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        from htmengine.config import required_config_dir

        required_config_dir()
        return function(*args, **kwargs)

    return checked


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        from importlib import metadata

        if name == "__version__":
            return metadata.version("htmengine")
        if name == "distribution":
            return metadata.distribution("htmengine")
        if name == "APP_CONFIG":
            from htmengine.config import required_config_dir
            from htmengine.config.files import Config

            return Config("application.conf", str(required_config_dir()))
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
