"""Loggers with a common prefix, under their documented name."""

from htmengine.htmengine_logging import ExtendedLogger as ExtendedLogger
