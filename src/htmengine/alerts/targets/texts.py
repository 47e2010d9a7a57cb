"""Texts of notices as receivers take them: of limited length, on one line where that is needed, with times in their form."""

from __future__ import annotations

import re
from typing import Final

from htmengine.foreign import visible

_ADDRESS: Final = re.compile(r"https?://[!-~]+")


def shortened(text: str, characters: int) -> str:
    """Return a text with at most so many characters."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def one_line(text: str, characters: int) -> str:
    """Return a text on one line, without characters that nobody sees, with at most so many."""
    return shortened(visible(text).replace("\n", "\\n"), characters)


def is_address(text: str) -> bool:
    """Tell whether a text is the address of a page; some receivers refuse a whole notice for one that is none."""
    return _ADDRESS.fullmatch(text) is not None
