"""Orders of the metric list, and pages of it."""

from __future__ import annotations

import base64
from bisect import bisect_right
from typing import Final, Literal, NamedTuple, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from htmengine.web.fleet import STATES, Fleet

Sort = Literal["oddness", "name", "last", "lag", "alarms", "trouble"]
TROUBLE: Final = np.array(
    [("error", "silent", "no_model", "learning", "unmonitored", "active").index(s) for s in STATES]
)
"""Rank of each state, the most troublesome first."""
KEPT_S: Final = 1.0
"""An order is used again for so long."""


class Order(NamedTuple):
    """All metrics in an order."""

    indexes: NDArray[np.int64]
    keys: NDArray[np.float64]
    """By metric: what they are ordered by, ascending; those of one key are ordered by name."""
    name_ranks: NDArray[np.int64]
    sorted_names: list[str]
    version: int
    made_at: float


class _Place(msgspec.Struct, frozen=True, array_like=True):
    """Behind which metric a page begins."""

    sort: str
    key: float
    name: str


class Rankings:
    """The orders that were asked for last."""

    def __init__(self) -> None:
        self._orders: dict[tuple[Sort, float], Order] = {}

    def order(self, fleet: Fleet, sort: Sort, window_s: float, now: float) -> Order:
        """Return all metrics in an order. By oddness those of open incidents come first, and those that are snoozed last.

        Parameters
        ----------
        window_s : what lies a quarter of it back counts half, by oddness.
        """
        key = (sort, window_s)
        with fleet.lock:
            found = self._orders.get(key)
            if found and found.version == fleet.version and 0 <= now - found.made_at < KEPT_S:
                return found
            ranks, names = self._ranks(fleet, found)
            keys = _keys(fleet, sort, window_s, now)
            order = Order(np.lexsort((ranks, keys)), keys, ranks, names, fleet.version, now)
            if len(self._orders) > 16:
                self._orders.clear()
            self._orders[key] = order
            return order

    def _ranks(self, fleet: Fleet, before: Order | None) -> tuple[NDArray[np.int64], list[str]]:
        for order in (before, *self._orders.values()):
            if order and order.version == fleet.version:
                return order.name_ranks, order.sorted_names
        by_name = sorted(range(len(fleet)), key=fleet.names.__getitem__)
        ranks = np.empty(len(fleet), dtype=np.int64)
        ranks[by_name] = np.arange(len(fleet))
        return ranks, [fleet.names[i] for i in by_name]


def _keys(fleet: Fleet, sort: Sort, window_s: float, now: float) -> NDArray[np.float64]:
    """Return what metrics are ordered by, ascending."""
    keys = np.zeros(len(fleet), dtype=np.float64)
    if sort == "last":
        keys -= np.nan_to_num(fleet.column("time"))
    elif sort == "lag":
        keys -= np.where(fleet.monitored(), fleet.column("last_rowid") - fleet.column("scored_rowid"), 0)
    elif sort == "alarms":
        keys -= fleet.alarm_counts()
    elif sort == "trouble":
        keys += TROUBLE[fleet.states(now)]
    elif sort == "oddness":
        keys -= np.round(fleet.oddness(window_s), 4)
        for uid, member in fleet.open_members.items():
            if (i := fleet.index.get(uid)) is not None:
                # Before all others, whose keys are -1 to 0; or behind them.
                keys[i] = 1.0 if member.is_snoozed(now) else -1.0 - member.changed
    return keys


def page(
    order: Order, mask: NDArray[np.bool_], sort: Sort, after: str | None, limit: int
) -> tuple[list[int], str | None]:
    """Return the metrics of a page that a mask leaves, and the cursor of the next.

    Raises ValueError for a cursor that is none of this order.
    """
    left = order.indexes[mask[order.indexes]]
    if after:
        place = _decoded(after)
        if place.sort != sort:
            raise ValueError("the cursor belongs to another order")
        rank = bisect_right(order.sorted_names, place.name)
        keys = order.keys[left]
        behind = (keys > place.key) | ((keys == place.key) & (order.name_ranks[left] >= rank))
        left = left[behind]
    chosen = cast("list[int]", left[:limit].tolist())
    if len(left) <= limit:
        return chosen, None
    last = chosen[-1]
    name = order.sorted_names[int(order.name_ranks[last])]
    return chosen, _encoded(_Place(sort, float(order.keys[last]), name))


def _encoded(place: msgspec.Struct) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _decoded(cursor: str) -> _Place:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=_Place)
    except (ValueError, msgspec.MsgspecError) as error:
        raise ValueError("it is none that this server gave") from error
