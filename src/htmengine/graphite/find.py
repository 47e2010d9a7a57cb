"""Answers about names: find, expand, and the index of all."""

from __future__ import annotations

from typing import Any

from htmengine.graphite import globs
from htmengine.graphite.evaluation import BRANCHES, Source
from htmengine.graphite.globs import Found, PatternError
from htmengine.graphite.target import TargetError


def places(source: Source, pattern: str) -> list[Found]:
    """Return what a pattern fits, the virtual branches among it. Raises TargetError."""
    if len(pattern) > globs.MAX_PATTERN:
        raise TargetError(f"query: a pattern has at most {globs.MAX_PATTERN} characters")
    try:
        found = {one.path: one for one in source.tree.find(pattern)}
        for plain in globs.expand(pattern):
            found |= {one.path: one for one in _virtual(source, plain)}
    except PatternError as error:
        raise TargetError(f"query: {error}") from None
    return [found[path] for path in sorted(found)]


def _virtual(source: Source, pattern: str) -> list[Found]:
    root, dot, rest = pattern.partition(".")
    branch = source.branch
    if not source.names or not (root == branch if dot else globs.segment(root)(branch)):
        return []
    if not dot:
        return [Found(branch, None, True)]
    name, dot, rest = rest.partition(".")
    branches = [one for one in BRANCHES if globs.segment(name)(one)]
    if not dot:
        return [Found(f"{branch}.{one}", None, True) for one in branches]
    return [
        Found(f"{branch}.{one}.{found.path}", found.metric, found.has_children)
        for one in branches
        for found in source.tree.find(rest)
    ]


def tree_json(found: list[Found], pattern: str) -> list[dict[str, Any]]:
    """Return what the query editor is told of places: each last part of a path once."""
    base = pattern.rpartition(".")[0]
    by_text: dict[str, tuple[bool, bool]] = {}
    for one in found:
        text = one.path.rpartition(".")[2]
        is_leaf, has_children = by_text.get(text, (False, False))
        by_text[text] = (is_leaf or one.metric is not None, has_children or one.has_children)
    return [
        {
            "text": text,
            "id": f"{base}.{text}" if base else text,
            "leaf": int(is_leaf),
            "expandable": int(has_children),
            "allowChildren": int(has_children),
            "context": {},
        }
        for text, (is_leaf, has_children) in by_text.items()
    ]


def completer_json(found: list[Found]) -> dict[str, Any]:
    """Return the same in the form of Graphite's own completer."""
    return {
        "metrics": [
            {
                "path": f"{one.path}." if one.has_children else one.path,
                "name": one.path.rpartition(".")[2],
                "is_leaf": "0" if one.has_children else "1",
            }
            for one in found
        ]
    }
