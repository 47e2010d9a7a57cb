"""Packages that a plain installation lacks, and the extras of this distribution that bring them."""

from __future__ import annotations

from importlib import util
from typing import Final, Literal, TypeAlias

from htmengine.errors import ExplainedError

Extra: TypeAlias = Literal[
    "rabbitmq", "mysql", "postgresql", "parquet", "excel", "plot", "ical", "apprise", "mcp"
]

_PACKAGES: Final[dict[Extra, str]] = {
    "rabbitmq": "pika",
    "mysql": "pymysql",
    "postgresql": "psycopg",
    "parquet": "pyarrow",
    "excel": "openpyxl",
    "plot": "matplotlib",
    "ical": "ical",
    "apprise": "apprise",
    "mcp": "mcp",
}


class PackageMissing(ExplainedError, ImportError):
    """Something needs a package that is not installed; the hint names the extra that brings it."""


def require(extra: Extra, what: str, *, otherwise: str = "") -> None:
    """Check that an extra's package is installed, without importing it.

    Parameters
    ----------
    what : needs it, as the beginning of a sentence.
    otherwise : what can be done instead, as the end of one.

    Raises
    ------
    PackageMissing : it is not installed.
    """
    package = _PACKAGES[extra]
    if util.find_spec(package) is None:
        raise PackageMissing(
            f"{what} needs the package {package}, which is not installed.",
            hint=f"Install it with `pip install 'htmengine[{extra}]'`{otherwise}.",
        )
