"""How log lines are written: visibly, and with prefixes under their documented names."""

from __future__ import annotations

import logging
import time
from collections.abc import MutableMapping
from typing import Any, ClassVar

import htmengine
from htmengine.foreign import visible


class VisibleFormatter(logging.Formatter):
    """Writes log lines in UTC in which all that others wrote is `visible`."""

    converter = staticmethod(time.gmtime)

    def __init__(self, fmt: str) -> None:
        """`fmt` as for `logging.Formatter`; times are to the second."""
        super().__init__(fmt, datefmt="%Y-%m-%dT%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record."""
        return visible(super().format(record))


class ExtendedLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger that begins each message with a prefix, which is one for all of them."""

    _prefix: ClassVar[str] = ""

    @classmethod
    def getExtendedLogger(cls, name: str) -> ExtendedLogger:
        """Return the logger of a name, with the prefix."""
        return cls(logging.getLogger(name))

    @classmethod
    def setLogPrefix(cls, prefix: str) -> None:
        """Set the prefix of all extended loggers."""
        ExtendedLogger._prefix = prefix

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        return (f"{self._prefix} {msg}" if self._prefix else msg), kwargs


def getExtendedLogger(name: str) -> ExtendedLogger:
    """Return the logger of a name, whose messages begin with the common prefix."""
    return ExtendedLogger.getExtendedLogger(name)


def getLogger(name: str) -> logging.Logger:
    """Return the logger of a name."""
    return logging.getLogger(name)


def getStandardLogPrefix() -> str:
    """Return the prefix that says the version."""
    return f"VER={htmengine.__version__}"


def getMetricLogPrefix(metric: Any) -> str:
    """Return the prefix that names a metric: any object with `uid`, `name`, `status` and `server`."""
    return f"METRICID={metric.uid}, METRIC={metric.name}, STATUS={metric.status}, SERVER={metric.server}"


def anonymizeEmail(email: str) -> str:
    """Return an address of which only the ends are left: `j***e@e***e.com`."""
    return "@".join(_masked(part) for part in email.split("@", 1))


def _masked(part: str) -> str:
    name, dot, ending = part.rpartition(".") if "." in part else (part, "", "")
    return f"{name[:1]}***{name[-1:] if len(name) > 1 else ''}{dot}{ending}"
