"""Metrics, samples and scores in SQL.

Under their documented names: engines (`factory`), the queries of applications (`queries`) and the tables (`schema`). The
services use `database`, `metrics`, `samples`, `scores` and their neighbours.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from htmengine.repository import schema as schema
    from htmengine.repository.factory import engineFactory as engineFactory
    from htmengine.repository.factory import getBaseConnectionArgsDict as getBaseConnectionArgsDict
    from htmengine.repository.factory import getDbDSN as getDbDSN
    from htmengine.repository.factory import getDSN as getDSN
    from htmengine.repository.factory import getUnaffiliatedEngine as getUnaffiliatedEngine
    from htmengine.repository.factory import retryOnTransientErrors as retryOnTransientErrors
    from htmengine.repository.queries import *  # noqa: F403
else:
    _FACTORY = (
        "engineFactory",
        "getBaseConnectionArgsDict",
        "getDSN",
        "getDbDSN",
        "getUnaffiliatedEngine",
        "retryOnTransientErrors",
    )

    def __getattr__(name: str) -> Any:
        # Imported when it is asked for: commands and services need single modules, and not what all of these need.
        if name in _FACTORY:
            return getattr(import_module(f"{__name__}.factory"), name)
        if name == "__all__":
            return ["schema", *_FACTORY, *import_module(f"{__name__}.queries").__all__]
        if not name.startswith("_"):
            try:
                return import_module(f"{__name__}.{name}")
            except ModuleNotFoundError as error:
                if error.name != f"{__name__}.{name}":
                    raise
            queries = import_module(f"{__name__}.queries")
            if name in queries.__all__:
                return getattr(queries, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
