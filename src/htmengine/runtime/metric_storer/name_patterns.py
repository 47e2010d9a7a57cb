r"""Patterns that metrics' names are matched with: never in more than linear time, whatever the pattern and the name.

A pattern that backtracks, such as `(\w+\.)+x`, takes years for some names, and every service that meets one stands still.
So regular expressions are matched by RE2. They are written, and mean, what Python's `re` says; `_for_re2` translates what
RE2 spells differently.
"""

import fnmatch
import re
from collections.abc import Callable
from typing import Any, Final

import re2

Fits = Callable[[str], object]
"""Returns something true for a name that fits as a whole."""

_TOKEN: Final = re.compile(
    r"\\u(?P<u>[0-9a-fA-F]{4})|\\U(?P<U>[0-9a-fA-F]{8})|(?P<back>\\[1-9])|\\.|\{,(?=\d*\})|\[\^?\]?|.",
    re.DOTALL,
)
_LETTERS: Final = r"\p{L}\p{N}_"
_BLANKS: Final = r"\s\x0b\x1c-\x1f\x{85}\p{Z}"
_ESCAPES: Final = {
    r"\d": r"\p{Nd}",
    r"\D": r"\P{Nd}",
    r"\w": f"[{_LETTERS}]",
    r"\W": f"[^{_LETTERS}]",
    r"\s": f"[{_BLANKS}]",
    r"\S": f"[^{_BLANKS}]",
    r"\Z": r"\z",
    "{,": "{0,",
}
_ESCAPES_IN_CLASS: Final = {
    r"\d": r"\p{Nd}",
    r"\D": r"\P{Nd}",
    r"\w": _LETTERS,
    r"\s": _BLANKS,
}
_UNKNOWN: Final = (
    "cannot be matched in linear time: {reason}. There is no look-around, no back-reference, no possessive repetition, "
    "and a part repeats 1000 times at most; two rules, of which the first that fits decides, often do instead"
)


def glob(text: str) -> Fits:
    """Return what a pattern of a shell fits. Raises ValueError for one that fits nothing."""
    if not text:
        raise ValueError("fits nothing")
    # What fnmatch makes of it does not go back behind a star: linear but for the text after the last one.
    return re.compile(fnmatch.translate(text)).fullmatch


def regex(text: str) -> Fits:
    """Return what a regular expression fits. Raises ValueError as `compiled` does."""
    fits: Fits = compiled(text).fullmatch
    return fits


def compiled(text: str) -> Any:
    """Return a regular expression of RE2, which has the methods of one of `re`.

    Raises
    ------
    ValueError : it is none, or one that cannot be matched in linear time; the message says what of it.
    """
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(_for_re2(text), options)
    except re2.error as error:
        reason = error.args[0]
        said = reason.decode(errors="backslashreplace") if isinstance(reason, bytes) else reason
        raise ValueError(_UNKNOWN.format(reason=said)) from None


def _for_re2(text: str) -> str:
    r"""Return how RE2 writes what Python means.

    To RE2 `\d`, `\w` and `\s` are of ASCII alone, and so is `\b`, which cannot be said otherwise.

    Raises
    ------
    re2.error : RE2 would take it for something else.
    """
    written = []
    within = False
    """A class of characters."""
    for token in _TOKEN.finditer(text):
        part = token[0]
        if code := token["u"] or token["U"]:
            part = f"\\x{{{code}}}"
        elif token["back"]:
            raise re2.error(f"back-reference or octal number: {part}")
        elif not within:
            within = part.startswith("[")
            part = _ESCAPES.get(part, part)
        elif part == "]":
            within = False
        elif part in (r"\W", r"\S"):
            raise re2.error(f"{part} between brackets")
        elif part.startswith("["):  # a bracket, and what would follow the first one
            within = not part.endswith("]")
            part = part.replace("[", r"\[")
        else:
            part = _ESCAPES_IN_CLASS.get(part, part)
        written.append(part)
    return "".join(written)
