"""Groups of metrics that their names tell: a host, a service, all metrics with a tag, the whole fleet."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

FLEET: Final = ""
"""The group of all metrics."""
MAX_DEPTH: Final = 8
"""Segments of a name that make groups; deeper ones are in the group of the last of these."""

_SEPARATORS: Final = re.compile(r"[./:]+")


def groups_of(name: str) -> Iterator[str]:
    """Yield every group that a metric is in, the fleet first, then its prefixes from the shortest, then its tags.

    Segments of a name end at `.`, `/` or `:`; tags stand behind it as `;key=value`. A prefix never is a whole name with
    no tags: a group of one.
    """
    yield FLEET
    base, *tags = name.split(";")
    ends = [match.start() for match in _SEPARATORS.finditer(base)][:MAX_DEPTH]
    yield from (base[:end] for end in ends if end)
    if tags:
        yield base
        yield from (f";{tag}" for tag in tags)


class Fleet:
    """How many metrics each group has."""

    def __init__(self, names: Iterable[str]) -> None:
        """`names` are those of all metrics that can alarm."""
        self._names = frozenset(names)
        self._sizes = Counter(group for name in self._names for group in set(groups_of(name)))
        self._groups: dict[str, list[str]] = {}
        """Of metrics that were asked for: those that alarm are asked for again and again."""

    def __contains__(self, name: object) -> bool:
        """Tell whether a metric of this name is in it."""
        return name in self._names

    def size(self, group: str) -> int:
        """Return how many metrics a group has; 0 if there is none."""
        return self._sizes[group]

    def groups_of(self, name: str) -> Sequence[str]:
        """Return the groups that a metric is in; of prefixes that have the same metrics only the first."""
        if (known := self._groups.get(name)) is not None:
            return known
        found = self._groups[name] = [FLEET]
        for group in islice(groups_of(name), 1, None):
            if group.startswith(";") or self._sizes[group] != self._sizes[found[-1]]:
                found.append(group)
        return found
