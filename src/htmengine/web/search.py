"""The search language of the metric list: words of a name, patterns, and conditions such as `state:silent`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from htmengine.htm.explanation import Cause
from htmengine.runtime.metric_storer import name_patterns
from htmengine.web.fleet import FULL, STATES, Fleet
from htmengine.web.shapes import State

_COMPARISONS: Final[dict[str, Callable[[NDArray[np.float64], float], NDArray[np.bool_]]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


HANDLINGS: Final = ("acknowledged", "snoozed")
"""What people said of the open incident of a metric."""


class SearchError(ValueError):
    """The search cannot be understood; the message says what is wrong."""


class Search(NamedTuple):
    """What a metric must fulfil; all of it."""

    texts: tuple[str, ...] = ()
    """Parts of the name, upper and lower case alike."""
    patterns: tuple[str, ...] = ()
    """Of the whole name."""
    tags: tuple[tuple[str, str], ...] = ()
    states: tuple[str, ...] = ()
    """One of these, or of those of the incident that it is in: HANDLINGS."""
    scores: tuple[tuple[str, float], ...] = ()
    """Comparisons of the highest log score of the last hour."""
    causes: tuple[str, ...] = ()
    """Of the newest alarm: one of these."""
    without: tuple[Search, ...] = ()
    """What must not hold, each by itself."""


def parse(text: str) -> Search:
    """Return what a search asks for. Words are joined by "and". Raises SearchError.

    `web` finds names with these letters, `web.*` names of this pattern, `tag:dc=a` a tag, `state:silent` a state,
    `score:>0.5` the highest score of the last hour, `cause:jump` the cause of the last alarm. A minus before a word finds
    the metrics that it would not find.
    """
    texts, patterns, tags, states, scores, causes, without = [], [], [], [], [], [], []
    for word in text.split():
        if len(word) > 1 and word.startswith("-"):
            without.append(parse(word[1:]))
            continue
        kind, colon, rest = word.partition(":")
        if colon and kind == "tag":
            name, equals, value = rest.partition("=")
            if not (name and equals):
                raise SearchError(f"{word}: write a tag as tag:name=value.")
            tags.append((name, value))
        elif colon and kind == "state":
            known = (*get_args(State), *HANDLINGS)
            if rest not in known:
                raise SearchError(f"{word}: the states are {', '.join(known)}.")
            states.append(rest)
        elif colon and kind == "score":
            scores.append(_comparison(word, rest))
        elif colon and kind == "cause":
            if rest not in get_args(Cause):
                raise SearchError(f"{word}: the causes are {', '.join(get_args(Cause))}.")
            causes.append(rest)
        elif any(sign in word for sign in "*?["):
            patterns.append(word)
        else:
            texts.append(word.lower())
    return Search(*map(tuple, (texts, patterns, tags, states, scores, causes, without)))  # type: ignore[arg-type]


def _comparison(word: str, text: str) -> tuple[str, float]:
    sign = next((sign for sign in _COMPARISONS if text.startswith(sign)), None)
    try:
        return (sign or ">="), float(text.removeprefix(sign or ""))
    except ValueError:
        raise SearchError(f"{word}: write a comparison such as score:>0.5.") from None


class NameMatches:
    """Which names a search finds, kept for the searches that were asked last, until metrics are added."""

    KEPT: Final = 64

    def __init__(self) -> None:
        self._found: dict[object, NDArray[np.bool_]] = {}
        self._version = -1

    def __call__(self, fleet: Fleet, search: Search, prefix: str) -> NDArray[np.bool_]:
        """Return, for each metric of the fleet, whether its name fits."""
        if fleet.version != self._version:
            self._found.clear()
            self._version = fleet.version
        key = (search.texts, search.patterns, search.tags, prefix)
        found = self._found.get(key)
        if found is None:
            while len(self._found) >= self.KEPT:
                del self._found[next(iter(self._found))]
            found = self._found[key] = _names(fleet.names, search, prefix)
        return found


def _names(names: Sequence[str], search: Search, prefix: str) -> NDArray[np.bool_]:
    found = range(len(names))
    kept: Sequence[int] = [i for i in found if names[i].startswith(prefix)] if prefix else found
    for text in search.texts:
        kept = [i for i in kept if text in names[i].lower()]
    for pattern in search.patterns:
        fits = name_patterns.glob(pattern)
        kept = [i for i in kept if fits(names[i])]
    for name, value in search.tags:
        part = f";{name}={value};"
        kept = [i for i in kept if part in f"{names[i]};"]
    mask = np.zeros(len(names), dtype=np.bool_)
    mask[list(kept)] = True
    return mask


def matching(fleet: Fleet, search: Search, prefix: str, names: NameMatches, now: float) -> NDArray[np.bool_]:
    """Return, for each metric of the fleet, whether a search finds it."""
    with fleet.lock:
        mask = names(fleet, search, prefix).copy()
        if search.states:
            states = [STATES.index(state) for state in search.states if state not in HANDLINGS]
            mask &= np.isin(fleet.states(now), states) | _handled(fleet, search.states, now)
        if search.scores:
            worst = fleet.worst(3600.0) / FULL
            for sign, number in search.scores:
                mask &= _COMPARISONS[sign](worst, number)
        if search.causes:
            wanted = [fleet.causes.index(cause) for cause in search.causes if cause in fleet.causes]
            mask &= np.isin(fleet.column("cause"), wanted)
        for unwanted in search.without:
            mask &= ~matching(fleet, unwanted, "", names, now)
        return mask


def _handled(fleet: Fleet, wanted: Sequence[str], now: float) -> NDArray[np.bool_]:
    """Return, for each metric of the fleet, whether its open incident is acknowledged, or snoozed, as is wanted."""
    mask = np.zeros(len(fleet), dtype=np.bool_)
    for uid, member in fleet.open_members.items():
        i = fleet.index.get(uid)
        if i is not None:
            mask[i] = ("acknowledged" in wanted and member.acknowledged_by is not None) or (
                "snoozed" in wanted and member.is_snoozed(now)
            )
    return mask
