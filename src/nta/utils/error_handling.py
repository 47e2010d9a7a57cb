"""Decorators around functions that may fail: log, end the program, try again."""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

from htmengine.system.backoff import Backoff
from htmengine.system.backoff import retry as backoff_retry

P = ParamSpec("P")
R = TypeVar("R")


def logExceptions(logger: logging.Logger | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that logs whatever a function raises, and lets it through."""
    target = logger or logging.getLogger(__name__)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except BaseException:
                target.exception("%s failed", getattr(function, "__qualname__", function))
                raise

        return wrapped

    return decorate


def abortProgramOnAnyException(
    exitCode: int,
    logger: logging.Logger | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that ends the process at once when a function raises, SystemExit included.

    For threads whose end must not go unnoticed: no other thread and no cleanup runs any more.
    """
    target = logger or logging.getLogger(__name__)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except BaseException:
                target.critical(
                    "%s failed; the program ends", getattr(function, "__qualname__", function), exc_info=True
                )
                _end(exitCode)

        return wrapped

    return decorate


def _end(exit_code: int) -> NoReturn:
    logging.shutdown()
    os._exit(exit_code)


def retry(
    timeoutSec: float,
    initialRetryDelaySec: float,
    maxRetryDelaySec: float,
    retryExceptions: tuple[type[BaseException], ...] = (Exception,),
    retryFilter: Callable[[BaseException, tuple[object, ...], dict[str, object]], bool] | None = None,
    logger: logging.Logger | None = None,
    clientLabel: str = "",
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that calls a function again when it raises, after delays that double.

    Parameters
    ----------
    timeoutSec : seconds after the first call when the last error is let through; 0 calls once.
    initialRetryDelaySec, maxRetryDelaySec : the first delay, and the longest.
    retryExceptions : which errors are worth another call; others are let through at once.
    retryFilter : asked with the error, the positional and the named arguments; False lets the error through.
    """
    if not 0 <= initialRetryDelaySec <= maxRetryDelaySec or timeoutSec < 0:
        raise ValueError("delays and time-out must not be negative, nor the first delay above the longest")

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            begin = time.monotonic()
            backoff = Backoff(initialRetryDelaySec, maxRetryDelaySec)

            def worth(error: BaseException) -> bool:
                if time.monotonic() - begin >= timeoutSec:
                    return False
                if retryFilter is not None and not retryFilter(error, args, kwargs):
                    return False
                if logger is not None:
                    logger.warning("%s: trying again in %.2f s: %s", clientLabel, backoff.next_s, error)
                return True

            return backoff_retry(lambda: function(*args, **kwargs), retryExceptions, backoff, worth=worth)

        return wrapped

    return decorate
