"""What was last known of running totals, from which rates and means are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, delete

from htmengine.repository import bulk, schema
from htmengine.repository.lookup import Lookup

_total: Final = schema.running_total.c
_TOTALS: Final = Lookup(_total.name, _total.name, _total.state)


class Total(msgspec.Struct, frozen=True, array_like=True):
    """The newest value of a running total; it may belong to no metric yet, whose first row is a rate."""

    timestamp: float
    """Seconds since the epoch, with their fraction."""
    value: float
    count: float = 0.0
    """Of a mean: how many things the value is the sum of."""
    ended: bool = False
    """The series has ended since: the value means nothing any more, the time still does."""


_decode: Final = msgspec.json.Decoder(Total).decode


def read(conn: Connection, names: Sequence[str]) -> dict[str, Total]:
    """Return the totals of these names; unknown names are left out."""
    wanted = set(names)
    return {name: _decode(state) for name, state in _TOTALS.rows(conn, names) if name in wanted}


def store(conn: Connection, known: Mapping[str, Total], totals: Mapping[str, Total]) -> None:
    """Store totals; `known` are those that `read` found of them, in this transaction."""
    # As text: SQLite's JSON, in which they are read, would round the numbers.
    texts = {name: msgspec.json.encode(total).decode() for name, total in totals.items()}
    old = [name for name in texts if name in known]
    new = [name for name in texts if name not in known]
    if old:
        bulk.update(conn, schema.running_total, {"name": old}, {"state": [texts[name] for name in old]})
    if new:
        bulk.insert(conn, schema.running_total, {"name": new, "state": [texts[name] for name in new]})


def forget(conn: Connection, name: str) -> None:
    """Drop what is known of a name."""
    conn.execute(delete(schema.running_total).where(_total.name == name))
