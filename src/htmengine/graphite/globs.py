"""Patterns of dotted names: `*`, `?`, `[a-z]`, `{a,b}`, none of which fits a dot; and the tree of all names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import re2

MAX_EXPANSIONS: Final = 1000
"""Of the braces in a pattern."""
MAX_PATTERN: Final = 2000
_SPECIAL: Final = re.compile(r"[*?\[\]{}\\]")


class PatternError(ValueError):
    """A pattern cannot be used; the message says why."""


def expand(pattern: str) -> list[str]:
    """Return the patterns without braces that a pattern stands for. Raises PatternError."""
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"the pattern is longer than {MAX_PATTERN} characters")
    done: list[str] = []
    waiting = [pattern]
    while waiting:
        found = waiting.pop()
        open_ = _inmost(found)
        if open_ is None:
            done.append(found)
        else:
            begin, end = open_
            waiting.extend(
                found[:begin] + choice + found[end + 1 :]
                for choice in reversed(found[begin + 1 : end].split(","))
            )
        if len(done) + len(waiting) > MAX_EXPANSIONS:
            raise PatternError(f"the braces of {pattern[:80]!r} stand for more than {MAX_EXPANSIONS} names")
    return list(dict.fromkeys(done))


def _inmost(pattern: str) -> tuple[int, int] | None:
    """Return where the first pair of braces without others in it stands."""
    begin = -1
    for at, sign in enumerate(pattern):
        if sign == "{" and not _is_escaped(pattern, at):
            begin = at
        elif sign == "}" and begin >= 0:
            return begin, at
    return None


def _is_escaped(text: str, at: int) -> bool:
    return at > 0 and text[at - 1] == "\\"


def is_pattern(text: str) -> bool:
    """Tell whether a text fits more than itself."""
    return bool(_SPECIAL.search(text))


@lru_cache(maxsize=1024)
def segment(pattern: str) -> Callable[[str], object]:
    """Return what a pattern without braces and dots fits. Raises PatternError."""
    options = re2.Options()
    options.log_errors = False
    try:
        fits: Callable[[str], object] = re2.compile(_translated(pattern), options).fullmatch
    except re2.error as error:
        raise PatternError(f"{pattern[:80]!r} is no pattern: {error}") from None
    return fits


def _translated(pattern: str) -> str:
    written = []
    at = 0
    while at < len(pattern):
        sign = pattern[at]
        at += 1
        if sign == "*":
            written.append("[^.]*")
        elif sign == "?":
            written.append("[^.]")
        elif sign == "\\" and at < len(pattern):
            written.append(re2.escape(pattern[at]))
            at += 1
        elif sign == "[" and (end := pattern.find("]", at + 1 + pattern.startswith("!", at))) > 0:
            inner, at = pattern[at:end], end + 1
            negated = inner.startswith("!")
            members = re.sub(r"([\\\[\]^&~|])", r"\\\1", inner.removeprefix("!"))
            written.append(f"[{'^' if negated else ''}{members}]")
        else:
            written.append(re2.escape(sign))
    return "".join(written)


class Node:
    """A place in the tree of names."""

    __slots__ = ("children", "metric")

    def __init__(self) -> None:
        self.children: dict[str, Node] = {}
        self.metric: int | None = None
        """Number of the metric whose name ends here."""


class Found(NamedTuple):
    """A place that a pattern fits."""

    path: str
    metric: int | None
    has_children: bool


class Tree:
    """The names of all metrics, segment by segment; the number of a metric is its place among the names."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.root = Node()
        self.size = 0
        self.tagged: dict[str, int] = {}
        """Names with tags, which are found as a whole, or by their tags."""
        self.add(names)

    def add(self, names: Iterable[str]) -> None:
        """Add names, behind those that there are."""
        for name in names:
            if ";" in name:
                self.tagged[name] = self.size
            else:
                node = self.root
                for part in name.split("."):
                    child = node.children.get(part)
                    if child is None:
                        child = node.children[part] = Node()
                    node = child
                node.metric = self.size
            self.size += 1

    def find(self, pattern: str) -> list[Found]:
        """Return what a pattern fits, in the order of the paths. Raises PatternError."""
        found: dict[str, Found] = {}
        for plain in expand(pattern):
            for path, node in _walk(self.root, plain.split("."), ""):
                found[path] = Found(path, node.metric, bool(node.children))
        return [found[path] for path in sorted(found)]

    def metrics(self, pattern: str) -> list[int]:
        """Return the numbers of the metrics that a pattern fits, in the order of their names. Raises PatternError."""
        return [one.metric for one in self.find(pattern) if one.metric is not None]


def _walk(node: Node, parts: Sequence[str], prefix: str) -> Iterator[tuple[str, Node]]:
    part, rest = parts[0], parts[1:]
    for name, child in _fitting(node, part):
        path = f"{prefix}.{name}" if prefix else name
        if rest:
            yield from _walk(child, rest, path)
        else:
            yield path, child


def _fitting(node: Node, part: str) -> Iterator[tuple[str, Node]]:
    if not is_pattern(part):
        child = node.children.get(part)
        if child is not None:
            yield part, child
        return
    if part == "*":
        yield from node.children.items()
        return
    fits = segment(part)
    for name, child in node.children.items():
        if fits(name):
            yield name, child
