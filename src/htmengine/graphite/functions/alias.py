"""Names: what a legend shows."""

from __future__ import annotations

from typing import Final

from htmengine.graphite import patterns, target
from htmengine.graphite.context import Evaluation
from htmengine.graphite.registry import SERIES, Param, Registry
from htmengine.graphite.series import Series
from htmengine.graphite.target import Call, Path, TargetError

function: Final = Registry()
GROUP: Final = "Alias"
_NODES: Final = Param("nodes", "nodeOrTag", multiple=True)


@function("alias", group=GROUP, params=(SERIES, Param("newName", "string")))
def alias(evaluation: Evaluation, series: list[Series], name: str) -> list[Series]:
    """Give series another name."""
    return [one.named(name) for one in series]


@function("aliasSub", group=GROUP, params=(SERIES, Param("search", "string"), Param("replace", "string")))
def alias_sub(evaluation: Evaluation, series: list[Series], search: str, replace: str) -> list[Series]:
    r"""Replace what a regular expression finds in names; \1 in the replacement is its first group."""
    return [one.named(patterns.replaced(search, replace, one.name)) for one in series]


@function("aliasByNode", "aliasByTags", group=GROUP, params=(SERIES, _NODES))
def alias_by_node(evaluation: Evaluation, series: list[Series], nodes: tuple[int | str, ...]) -> list[Series]:
    """Name series by parts of their metrics' names, counted from 0, or by tags."""
    return [one.named(".".join(_node(one, node) for node in nodes)) for one in series]


@function("aliasByMetric", group=GROUP)
def alias_by_metric(evaluation: Evaluation, series: list[Series]) -> list[Series]:
    """Name series by the last part of their metrics' names."""
    return [one.named(_node(one, -1)) for one in series]


def _node(series: Series, node: int | str) -> str:
    if isinstance(node, str):
        return series.tags.get(node, "")
    parts = first_path(series.name).split(";", 1)[0].split(".")
    return parts[node] if -len(parts) <= node < len(parts) else ""


def first_path(name: str) -> str:
    """Return the first path within the name of a series, which may be that of a function."""
    try:
        expression = target.parse(name)
    except TargetError:
        return name
    waiting: list[target.Argument] = [expression]
    while waiting:
        found = waiting.pop(0)
        if isinstance(found, Path):
            return found.pattern
        if isinstance(found, Call):
            waiting = [*found.args, *waiting]
    return name
