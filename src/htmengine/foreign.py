"""Text that others wrote: names, lines, files, messages. What of it is a number, and how it is shown."""

from __future__ import annotations

import unicodedata
from typing import Final

_UNSEEN: Final = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Categories of characters that have no look of their own: controls, formats such as zero-width and right-to-left marks,
halves of surrogate pairs, ends of lines."""
_BLANK_LETTERS: Final = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0")
"""Letters and marks that look like nothing."""


def has_unseen(text: str) -> bool:
    """Tell whether a text has characters that nobody sees, so that it looks like another or changes what stands beside it."""
    if text.isascii() and text.isprintable():
        return False
    return any(map(_is_unseen, text))


def visible(text: str) -> str:
    r"""Return a text for a terminal or a log: characters that nobody sees, which may be commands to it, as `\x1b`.

    Ends of lines stay.
    """
    if not has_unseen(text):
        return text
    return "".join(c.encode("unicode_escape").decode() if c != "\n" and _is_unseen(c) else c for c in text)


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in _UNSEEN or character in _BLANK_LETTERS


def number(text: str) -> float:
    """Return a decimal number. Raises ValueError for all else, what only Python takes for one included: `1_0`, `٣`."""
    return float(_plain(text))


def whole_number(text: str) -> int:
    """Return a whole number. Raises ValueError for all else, as `number` does."""
    return int(_plain(text))


def _plain(text: str) -> str:
    if not text.isascii() or "_" in text:
        raise ValueError("not a number")
    return text
