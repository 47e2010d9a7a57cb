"""Lines, series by their tags, and how points are made of many values."""

from __future__ import annotations

from typing import Final

from htmengine.graphite.context import Evaluation
from htmengine.graphite.registry import SERIES, Param, Registry
from htmengine.graphite.series import AGGREGATIONS, Series, aggregation

function: Final = Registry()
GROUP: Final = "Special"


@function("constantLine", group=GROUP, params=(Param("value", "float"),))
def constant_line(evaluation: Evaluation, value: float) -> list[Series]:
    """Draw a line at a value."""
    return [evaluation.constant(str(value), value)]


@function(
    "threshold",
    group="Graph",
    params=(Param("value", "float"), Param("label", "string", None), Param("color", "string", None)),
)
def threshold(evaluation: Evaluation, value: float, label: str | None, color: str | None) -> list[Series]:
    """Draw a line at a value, with a name."""
    return [evaluation.constant(label or str(value), value)]


@function("seriesByTag", group=GROUP, params=(Param("tagExpressions", "string", multiple=True),))
def series_by_tag(evaluation: Evaluation, expressions: tuple[str, ...]) -> list[Series]:
    """Find series by their tags, `name` among them: 'name=cpu', 'dc!=a', 'host=~web.*', 'host!=~db'."""
    return evaluation.tagged(expressions)


@function(
    "consolidateBy",
    group=GROUP,
    params=(SERIES, Param("consolidationFunc", "string", options=tuple(AGGREGATIONS))),
)
def consolidate_by(evaluation: Evaluation, series: list[Series], how: str) -> list[Series]:
    """Say how several values become one point where a chart has room for fewer."""
    found = aggregation(how)
    return [one.consolidated_by(found, f'consolidateBy({one.name},"{how}")') for one in series]
