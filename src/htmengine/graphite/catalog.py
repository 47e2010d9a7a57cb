"""The functions as the query editor of Grafana asks for them."""

from __future__ import annotations

import math
from typing import Any, Final

from htmengine.graphite.functions import FUNCTIONS
from htmengine.graphite.registry import Function, Param

MODULE: Final = "htmengine.graphite.functions"


def document() -> dict[str, dict[str, Any]]:
    """Return all functions by their names."""
    return {name: described(name) for name in sorted(FUNCTIONS.all)}


def grouped() -> dict[str, dict[str, dict[str, Any]]]:
    """Return them by their groups."""
    groups: dict[str, dict[str, dict[str, Any]]] = {}
    for name, one in document().items():
        groups.setdefault(one["group"], {})[name] = one
    return groups


def described(name: str) -> dict[str, Any]:
    """Return one function. Raises KeyError where there is none."""
    function = FUNCTIONS.all[name]
    return {
        "name": name,
        "function": _signature(name, function),
        "description": function.description,
        "module": MODULE,
        "group": function.group,
        "params": [_param(param) for param in function.params],
    }


def _signature(name: str, function: Function) -> str:
    parts = []
    for param in function.params:
        default = "" if param.required or param.multiple else f"={_plain(param.default)}"
        parts.append(f"{'*' if param.multiple else ''}{param.name}{default}")
    return f"{name}({', '.join(parts)})"


def _plain(value: Any) -> Any:
    # The editor reads no Infinity.
    return "inf" if value == math.inf else value


_EDITOR_TYPES: Final = {"floatOrSeries": "any"}


def _param(param: Param) -> dict[str, Any]:
    found: dict[str, Any] = {"name": param.name, "type": _EDITOR_TYPES.get(param.kind, param.kind)}
    if param.required:
        found["required"] = True
    elif param.default is not None:
        found["default"] = _plain(param.default)
    if param.multiple:
        found["multiple"] = True
    if param.options:
        found["options"] = list(param.options)
    if param.suggestions:
        found["suggestions"] = list(param.suggestions)
    return found
