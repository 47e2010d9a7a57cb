"""Transactions that are repeated."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from htmengine.repository.errors import TransactionRolledBack
from htmengine.system.backoff import Backoff, retry

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS: Final = 6
FIRST_DELAY_S: Final = 0.01
MAX_DELAY_S: Final = 0.16


def again_if_rolled_back(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that is repeated, a few times, when the database rolled its transaction back because of another.

    After a rollback it is certain that nothing was committed; after a lost connection it is not. If the function has
    several transactions, those before the one that was rolled back must be safe to repeat.
    """

    @functools.wraps(function)
    def retrying(*args: P.args, **kwargs: P.kwargs) -> R:
        backoff = Backoff(FIRST_DELAY_S, MAX_DELAY_S)
        return retry(
            lambda: function(*args, **kwargs),
            TransactionRolledBack,
            backoff,
            worth=lambda _: backoff.pauses < ATTEMPTS - 1,
        )

    return retrying
