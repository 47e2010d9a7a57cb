"""The ids of incidents."""

import re
from typing import Final

_ID: Final = re.compile(r"i([1-9][0-9]{0,17})")


def id_of(number: int) -> str:
    """Return an incident's id, as it is shown."""
    return f"i{number}"


def number_of(id_: str) -> int | None:
    """Return the number in an id; None if it is none."""
    found = _ID.fullmatch(id_)
    return int(found[1]) if found else None
