"""Metrics in groups: by the next segment of their names, or by a tag."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from htmengine.web.fleet import Fleet
from htmengine.web.shapes import tags_of


class Group(NamedTuple):
    """Metrics that have something in common."""

    label: str
    prefix: str
    """Of the names, for the groups in this one; the value of the tag, or the name of a single metric."""
    uid: str | None
    """Of the metric, if it is one by itself."""
    indexes: NDArray[np.int64]


class Grouping(NamedTuple):
    """All groups below a prefix."""

    groups: list[Group]
    tags: list[str]
    """Names of the tags that these metrics have."""


class Groupings:
    """The groupings that were asked for last, until metrics are added or go."""

    KEPT: Final = 64

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Grouping] = {}
        self._version = -1

    def __call__(self, fleet: Fleet, prefix: str, tag: str) -> Grouping:
        """Return the metrics below a prefix in groups."""
        if fleet.version != self._version:
            self._found.clear()
            self._version = fleet.version
        key = (prefix, tag)
        found = self._found.get(key)
        if found is None:
            while len(self._found) >= self.KEPT:
                del self._found[next(iter(self._found))]
            found = self._found[key] = _grouped(fleet, prefix, tag)
        return found


def _grouped(fleet: Fleet, prefix: str, tag: str) -> Grouping:
    members: dict[tuple[str, str, str | None], list[int]] = {}
    tags: set[str] = set()
    for i, name in enumerate(fleet.names):
        if not name.startswith(prefix):
            continue
        own = tags_of(name) if ";" in name else {}
        tags.update(own)
        if tag:
            if value := own.get(tag):
                members.setdefault((value, value, None), []).append(i)
            continue
        end = name.partition(";")[0].find(".", len(prefix))
        if end == -1:
            members.setdefault((name[len(prefix) :], name, fleet.uids[i]), []).append(i)
        else:
            members.setdefault((name[len(prefix) : end], name[: end + 1], None), []).append(i)
    groups = [Group(*key, np.array(some, dtype=np.int64)) for key, some in members.items()]
    return Grouping(groups, sorted(tags))
