"""Which teachings there are, as the scheduler knows them: read in each round, behind the rows that it works on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htmengine.model_swapper.teaching import Taught
from htmengine.repository.teachings import newest, read_all

if TYPE_CHECKING:
    from htmengine.repository.database import Database


class Teachings:
    """All teachings, by metric.

    A teaching is stored before the row from which it counts. So whoever has a row and asks then for what is new knows all
    that counts for it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._newest: tuple[int, ...] = ()
        self._by_uid: dict[str, Taught] = {}

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return bool(self._by_uid)

    def of(self, uid: str) -> Taught | None:
        """Return what a metric's model was taught, as far as it is known; None for nothing."""
        return self._by_uid.get(uid)

    def refresh(self) -> None:
        """Read what is new. Raises DependencyUnavailable."""
        with self._database.read() as conn:
            now = newest(conn)
            if now != self._newest:
                found = read_all(conn)
                self._by_uid = {uid: Taught(own) for uid, own in found.items()}
                self._newest = now
