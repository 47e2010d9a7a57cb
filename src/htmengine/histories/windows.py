"""Divides a long time into pieces that a server answers at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from htmengine.histories.source import Points

FIRST_S: Final = 86_400.0
MAX_S: Final = 32 * FIRST_S
FEW: Final = 3_000
"""A piece with fewer samples than this may be longer."""
MANY: Final = 12_000


def piecewise(since: float, until: float, ask: Callable[[float, float], Points]) -> Iterator[Points]:
    """Yield what `ask` returns for one piece of time after the other, without the samples that came before.

    Both ends count. Pieces grow where there is little, and shrink where there is much.
    """
    length, last = FIRST_S, since
    begin, is_first = since, True
    while begin < until or is_first:
        end = min(begin + length, until)
        found = ask(begin, end)
        kept = [
            (time, value)
            for time, value in zip(*found, strict=True)
            if (time >= since if is_first else time > last) and time <= until
        ]
        if kept:
            last = kept[-1][0]
            yield Points([time for time, _ in kept], [value for _, value in kept])
        last = max(last, end)
        if len(kept) < FEW:
            length = min(2 * length, MAX_S)
        elif len(kept) > MANY:
            length /= 2
        begin, is_first = end, False
