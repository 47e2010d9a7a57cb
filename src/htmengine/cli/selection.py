"""Which metrics a command is about: those that are named, and those whose names fit a pattern."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

import typer

from htmengine.errors import MisuseError
from htmengine.readable import counted
from htmengine.repository import metrics
from htmengine.repository.metrics import MetricState
from htmengine.runtime.metric_storer import name_patterns
from htmengine.service.context import Context

CONFIRMED_FROM: Final = 100
"""A change to so many metrics is confirmed first."""
_SPECIAL: Final = frozenset("*?[")


class Selection(NamedTuple):
    """What was found of what was given."""

    found: list[MetricState]
    """By name, each once."""
    unknown: list[str]
    """Names that no metric has. A pattern is not among them."""
    patterns: bool
    """Whether a pattern was given."""


def select(context: Context, given: Sequence[str], *, regex: bool = False) -> Selection:
    """Return the metrics that are named or fit a pattern.

    Parameters
    ----------
    given : the name of a metric means this metric, even with `*`, `?` or `[` in it; else these make it a pattern.
    regex : regular expressions are given, and nothing else.

    Raises
    ------
    MisuseError : a pattern cannot be used, or fits no metric.
    """
    by_name: dict[str, MetricState] = {}
    if not regex:
        with context.database.read() as conn:
            by_name = metrics.states_by_name(conn, given)
    left = [text for text in dict.fromkeys(given) if text not in by_name]
    patterns = [text for text in left if regex or _SPECIAL & set(text)]
    if patterns:
        with context.database.read() as conn:
            every = metrics.custom(conn)
        for text in patterns:
            fits = fitting(text, regex=regex)
            fitted = {state.name: state for state in every if fits(state.name)}
            if not fitted:
                raise MisuseError(
                    f"{text}: fits no metric's name.",
                    hint="`htmengine metrics` lists them; a pattern fits the whole name, and the case of letters counts.",
                )
            by_name |= fitted
    found = sorted(by_name.values(), key=lambda state: state.name)
    return Selection(found, [text for text in left if text not in patterns], bool(patterns))


def require_all(selection: Selection) -> list[MetricState]:
    """Return what was found. Raises MisuseError where a name is of no metric."""
    if selection.unknown:
        raise unknown(selection.unknown)
    return selection.found


def unknown(names: Sequence[str]) -> MisuseError:
    """Return the error that tells that no metric has these names."""
    return MisuseError(
        f"{', '.join(names)}: there is no metric of this name.",
        hint="`htmengine metrics` lists them; the case of letters counts. Send a sample to create one.",
    )


def fitting(text: str, *, regex: bool) -> name_patterns.Fits:
    """Return what a pattern or a regular expression fits. Raises MisuseError."""
    try:
        return (name_patterns.regex if regex else name_patterns.glob)(text)
    except ValueError as error:
        raise MisuseError(
            f"{text}: {error}.",
            hint="A pattern is as in a shell, such as 'web.*'; with --regex a regular expression of the whole name.",
        ) from error


def confirm(question: str, count: int, *, yes: bool, always: bool = False) -> None:
    """Ask before much is changed.

    Raises
    ------
    typer.Abort : the answer is no.
    MisuseError : nobody can be asked.
    """
    if yes or not count or (count < CONFIRMED_FROM and not always):
        return
    asked = f"{question} {counted(count, 'metric')}?"
    if not sys.stdin.isatty():
        raise MisuseError(
            f"{asked} Nobody can be asked: standard input is no terminal.",
            hint="Look at what it would be with --dry-run, and give --yes.",
        )
    typer.confirm(asked, abort=True)
