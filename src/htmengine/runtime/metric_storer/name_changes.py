r"""How rules change the name of a metric: by its parts, or by its tags.

regex = app\.(\w+)\.(.*)
rename = apps.\2;app=\1      ; \1 is the first part in parentheses, \g<name> one that has a name
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from htmengine.doors import names
from htmengine.runtime.metric_storer import name_patterns

Change = Callable[[str], str]
"""Returns the new name of a name that fits a rule. Raises BadSample where that is no name."""

_REFERENCE: Final = re.compile(r"\\(?:(?P<number>\d+)|g<(?P<name>\w+)>|(?P<other>.?))", re.DOTALL)


class _Part(NamedTuple):
    """A part of a new name: a text, or a group of the regular expression."""

    text: str = ""
    group: int | str | None = None


def renaming(regex: str, template: str) -> Change:
    """Return what gives a name that the regular expression fits as a whole its new name.

    Raises
    ------
    ValueError : the template is empty, or names a part that the expression does not have.
    """
    compiled = name_patterns.compiled(regex)
    parts = _parts(template, compiled)

    def change(name: str) -> str:
        found = compiled.fullmatch(name)
        if not found:
            return name
        return names.read(
            "".join(part.text if part.group is None else found.group(part.group) or "" for part in parts)
        )

    return change


def _parts(template: str, compiled: Any) -> list[_Part]:
    if not template:
        raise ValueError("is empty; give the new name")
    parts, at = [], 0
    for found in _REFERENCE.finditer(template):
        parts.append(_Part(template[at : found.start()]))
        at = found.end()
        if found["number"] is not None:
            group: int | str = int(found["number"])
            known = int(group) <= compiled.groups
        elif found["name"] is not None:
            group = found["name"]
            known = group in compiled.groupindex
        elif found["other"] == "\\":
            parts.append(_Part("\\"))
            continue
        else:
            raise ValueError(r"has a backslash that refers to no part: write \1, \g<name>, or \\ for itself")
        if not known:
            raise ValueError(f"refers to {found[0]}, which the regular expression does not have")
        parts.append(_Part(group=group))
    return [*parts, _Part(template[at:])]


def keeping_tags(text: str, *, drop: bool) -> Change:
    """Return what leaves a name those of its tags whose keys are listed, or with `drop` the others.

    `text` : keys, or patterns of them as in a shell, with blanks or commas between them. Raises ValueError.
    """
    patterns = [name_patterns.glob(one) for one in text.replace(",", " ").split()]
    if not patterns and drop:
        raise ValueError("names no tags")

    def change(name: str) -> str:
        base, *tags = name.split(";")
        kept = [tag for tag in tags if any(fits(tag.partition("=")[0]) for fits in patterns) is not drop]
        return ";".join([base, *kept])

    return change
