"""Among how many metric-data queues samples are divided by name, and whether those of before are still to be stored from."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Connection, insert, select, update

from htmengine.repository import schema

_NAME: Final = "data_queues"
_installation: Final = schema.installation.c
_query: Final = select(_installation.setting).where(_installation.name == _NAME)


class QueueLayout(NamedTuple):
    """What holds now. Each change makes new queues, of the next epoch."""

    number: int = 1
    """Of queues that samples are put into; 1: the documented one alone."""
    epoch: int = 0
    before: int = 0
    """How many there were before, while there is anything left of them; 0: nothing is."""
    draining: int = 0
    """1 while they are to be stored from, and the new ones are not."""

    @property
    def age(self) -> tuple[int, int, int]:
        """Grows with everything that happens."""
        return self.epoch, -self.draining, -self.before


def read(conn: Connection) -> QueueLayout:
    """Return what holds; one queue where nobody has said more."""
    return _parsed(conn.scalar(_query))


def locked(conn: Connection, *, shared: bool = False) -> QueueLayout:
    """Return what holds until this transaction ends; `shared`: others may rely on it, too, but nobody may change it."""
    return _parsed(conn.scalar(_query.with_for_update(read=shared)))


def make(conn: Connection) -> None:
    """Say that there is one queue, where nothing was said: a row that is not there cannot be locked."""
    if conn.scalar(_query) is None:
        conn.execute(insert(schema.installation).values(name=_NAME, setting=_text(QueueLayout())))


def store(conn: Connection, layout: QueueLayout) -> None:
    """Say what holds from now on."""
    conn.execute(update(schema.installation).where(_installation.name == _NAME).values(setting=_text(layout)))


def _text(layout: QueueLayout) -> str:
    return " ".join(map(str, layout))


def _parsed(text: str | None) -> QueueLayout:
    return QueueLayout(*map(int, text.split())) if text else QueueLayout()
