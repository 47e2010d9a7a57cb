"""Answers of the tools: a sentence, then data, few enough for a model to read."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from htmengine.errors import ExplainedError

MAX_CHARACTERS: Final = 12_000
"""Of an answer as JSON: some four thousand tokens."""

Answer = dict[str, Any]


class CannotAnswer(ExplainedError):
    """A tool cannot do what it is asked for."""


def bounded(sentence: str, items: list[Any]) -> Answer:
    """Return an answer; what is too much is left out, and how much that is."""
    kept = len(items)
    sizes = [len(msgspec.json.encode(item)) + 1 for item in items]
    total = sum(sizes)
    while total > MAX_CHARACTERS:
        kept -= 1
        total -= sizes[kept]
    answer: Answer = {"answer": sentence, "data": items[:kept]}
    if kept < len(items):
        answer["left_out"] = len(items) - kept
    return answer
