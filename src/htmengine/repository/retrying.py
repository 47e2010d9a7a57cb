"""Transactions that are done again."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from htmengine.repository.errors import TransactionRolledBack

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS: Final = 6
FIRST_DELAY_S: Final = 0.01


def again_if_rolled_back(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that is called again, a few times, when the database undid its transaction for another's sake.

    After that it is certain that nothing was committed; after a connection that was lost it is not. The function must be
    safe to repeat where it has transactions before the one that was undone.
    """

    @functools.wraps(function)
    def insistent(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(ATTEMPTS - 1):
            try:
                return function(*args, **kwargs)
            except TransactionRolledBack:
                time.sleep(FIRST_DELAY_S * 2**attempt)
        return function(*args, **kwargs)

    return insistent
