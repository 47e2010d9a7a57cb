"""How incidents are shown in the terminal: the metrics of each with their reasons, the strongest first."""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from htmengine import iso_times, readable
from htmengine.cli.session import print_json, utc
from htmengine.cli.terminal import echo_stderr, echo_stdout
from htmengine.errors import ExplainedError, MisuseError
from htmengine.incidents import ids, store
from htmengine.incidents.store import Incident
from htmengine.repository.database import Database
from htmengine.service.context import Context
from htmengine.service.program import stopping_on_signals

METRICS_SHOWN: Final = 8
"""Of an incident in a list."""
MAX_FOLLOWED: Final = 1000
"""Of incidents that are open when following begins."""
POLL_S: Final = 1.0
GROWTH_S: Final = 10.0
"""An incident that grows is shown again after so long at the soonest."""
PIPE_WIDTH: Final = 200
"""Characters, where no terminal says how wide it is."""

_LEAST_REASON: Final = 40
"""Characters of a sentence; with less room the reason in a few words stands in its place."""
_SHARE_OF_NAME: Final = 0.4
_UNITS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_AGO: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)")


class Request(NamedTuple):
    """What the user asked for; see the options of `htmengine.cli.commands.incidents`."""

    pattern: str | None
    since: float
    with_lone: bool
    limit: int
    json: bool

    @property
    def severity(self) -> str | None:
        """The least severity to show."""
        return None if self.with_lone else store.WARNING


def time_of(text: str, clock: Callable[[], float] = time.time, *, option: str = "--since") -> float:
    """Return the time that a text means, in seconds since the epoch: so long ago, or a date with or without a time.

    Raises MisuseError.
    """
    if ago := _AGO.fullmatch(text.strip()):
        return clock() - float(ago[1]) * _UNITS[ago[2]]
    try:
        return iso_times.seconds(text.strip())
    except ValueError:
        raise MisuseError(
            f'{option} "{text}" is not a time.',
            hint="Give a time ago, such as 90m, 6h or 7d, or a time in UTC, such as 2024-05-01T14:00.",
        ) from None


def show(context: Context, request: Request) -> None:
    """Print the incidents of a time, those that are open first, of these the strongest first; or the one that was named."""
    if request.pattern is not None and ids.number_of(request.pattern) is not None:
        _show_one(context.database, request.pattern, json=request.json)
        return
    with context.database.read() as conn:
        found = store.list_incidents(
            conn,
            severity=request.severity,
            since=request.since,
            match=request.pattern,
            limit=request.limit + 1,
        )
        lone = (
            0
            if request.with_lone
            else store.count(conn, severity=store.INFO, since=request.since, match=request.pattern)
        )
    more, found = len(found) > request.limit, found[: request.limit]
    found.sort(key=lambda one: (one["state"] != store.OPEN, -one["max"] if one["state"] == store.OPEN else 0))
    if request.json:
        for incident in found:
            print_json(incident)
        return
    _say_summary(found, request)
    for incident in found:
        echo_stdout()
        for line, style in block(incident, _width(), METRICS_SHOWN):
            echo_stdout(line, **(style if _colours() else {}))
    if more:
        echo_stderr(f"\nThere are more: see them with --limit {2 * request.limit}.")
    if lone:
        echo_stderr(f"\n{readable.counted(lone, 'alarm')} came alone, and may be chance: --all shows them.")


def _show_one(database: Database, id_: str, *, json: bool) -> None:
    with database.read() as conn:
        found = store.get_incident(conn, id_)
    if found is None:
        raise ExplainedError(f"There is no incident {id_}.", hint="`htmengine incidents --all` lists them.")
    if json:
        print_json(found)
        return
    if found["id"] != id_:
        echo_stderr(f"{id_} turned out to be part of {found['id']}.")
    for line, style in block(found, _width(), None):
        echo_stdout(line, **(style if _colours() else {}))


def _say_summary(found: Sequence[Incident], request: Request) -> None:
    still = sum(one["state"] == store.OPEN for one in found)
    of = f" with a metric of {request.pattern}" if request.pattern else ""
    if not found:
        echo_stdout(f"Nothing odd{of} since {utc(request.since)} UTC.")
        return
    echo_stdout(
        f"{readable.counted(still, 'incident')}{of} open, {len(found) - still:,} over since {utc(request.since)} UTC.",
        **({"bold": True} if _colours() else {}),
    )


def block(incident: Incident, width: int, metrics: int | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the lines of an incident, each with its style.

    Parameters
    ----------
    width : characters in a line at most.
    metrics : how many to show at most.
    """
    is_open = incident["state"] == store.OPEN
    head = f"{incident['id']}  {incident['state']}  {when(incident)}, {_size(incident)}"
    if incident["metric_count"] > 1:
        head += f", first {incident['first_mover']['name']}"
    yield _cut(head, width), {"fg": "red", "bold": True} if is_open else {"bold": True}
    shown = sorted(incident["metrics"], key=lambda one: (-one["max"], one["first"], one["name"]))[:metrics]
    names = min(max(len(one["name"]) for one in shown), int(_SHARE_OF_NAME * width))
    lags = [_lag(one) for one in shown]
    lag_width = max(map(len, lags))
    for one, lag in zip(shown, lags, strict=True):
        start = f"  {one['max']:.2f}  {lag:>{lag_width}}  {_end_of(one['name'], names):<{names}}  "
        room = width - len(start)
        reason = one["sentence"] if len(one["sentence"]) <= room or room >= _LEAST_REASON else one["reason"]
        yield f"{start}{_cut(reason, room)}".rstrip(), {}
    if incident["metric_count"] > len(shown):
        left = readable.counted(incident["metric_count"] - len(shown), "metric")
        yield f"  and {left} more: htmengine incidents {incident['id']}", {}


def when(incident: Incident) -> str:
    """Return when an incident was: `2024-05-01 14:03:12 UTC, for 4 min`."""
    lasts = incident["changed"] - incident["opened"]
    return f"{utc(incident['opened'])} UTC" + (f", for {readable.duration(lasts)}" if lasts else "")


def _size(incident: Incident) -> str:
    metrics = readable.counted(incident["metric_count"], "metric")
    if incident["alarm_count"] == incident["metric_count"]:
        return metrics
    return f"{metrics}, {incident['alarm_count']:,} alarms"


def _lag(metric: dict[str, Any]) -> str:
    return f"+{readable.duration(metric['lag'])}" if metric["lag"] else "first"


def _end_of(name: str, width: int) -> str:
    return name if len(name) <= width else f"…{name[len(name) - width + 1 :]}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(0, width - 1)]}…"


def _width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH


def _colours() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


class Follower:
    """Tells incidents as they open, grow and end; each that grows fast only now and then."""

    def __init__(
        self, request: Request, known: Sequence[Incident], timer: Callable[[], float] = time.monotonic
    ) -> None:
        """`known` are open incidents that were shown."""
        self._request = request
        self._timer = timer
        self._shown = {one["id"]: one for one in known if self._is_wanted(one)}
        self._shown_at = dict.fromkeys(self._shown, timer())
        self._waiting: dict[str, Incident] = {}

    def take(self, changed: Sequence[Incident]) -> Iterator[tuple[str, Incident]]:
        """Yield what is to be told of changes and of those that were put off: what became of an incident, and the incident."""
        for incident in changed:
            self._waiting[incident["id"]] = incident
        for id_, incident in list(self._waiting.items()):
            before = self._shown.get(id_)
            news = self._news(before, incident)
            if news == "grew" and self._timer() - self._shown_at[id_] < GROWTH_S:
                continue
            del self._waiting[id_]
            if news is None:
                continue
            yield news, incident
            self._shown[id_], self._shown_at[id_] = incident, self._timer()

    def _is_wanted(self, incident: Incident) -> bool:
        return self._request.with_lone or incident["severity"] == store.WARNING

    def _news(self, before: Incident | None, incident: Incident) -> str | None:
        if incident["state"] == store.MERGED:
            return "merged" if before and before["state"] != store.MERGED else None
        if before is None:
            is_new = incident["changed"] >= self._request.since and self._is_wanted(incident)
            return ("opened" if incident["state"] == store.OPEN else "was") if is_new else None
        if incident["state"] == store.RESOLVED:
            return "resolved" if before["state"] == store.OPEN else None
        if before["state"] != store.OPEN:
            return "opened"
        return "grew" if incident["metric_count"] > before["metric_count"] else None


def follow(context: Context, request: Request) -> None:
    """Print the incidents of a time, and then what changes, until SIGINT or SIGTERM."""
    with context.database.read() as conn:
        seq = store.last_seq(conn)
        still = store.list_incidents(conn, state=store.OPEN, match=request.pattern, limit=MAX_FOLLOWED)
    show(context, request)
    follower = Follower(request, still)
    stop = threading.Event()
    with stopping_on_signals(stop):
        while not stop.wait(POLL_S):
            with context.database.read() as conn:
                changed = store.changed_since(conn, seq, match=request.pattern)
            seq = max([seq, *(incident["seq"] for incident in changed)])
            for news, incident in follower.take(changed):
                if request.json:
                    print_json(incident)
                    continue
                for line, style in change_lines(news, incident, _width()):
                    echo_stdout(line, **(style if _colours() else {}))


def change_lines(news: str, incident: Incident, width: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the lines that tell how an incident changed, each with its style."""
    id_, lasts = incident["id"], readable.duration(incident["changed"] - incident["opened"])
    match news:
        case "opened" | "was":
            yield "", {}
            yield from block(incident, width, METRICS_SHOWN)
        case "grew":
            newest = max(incident["metrics"], key=lambda one: (one["first"], one["max"]))
            line = f"{id_}  grew to {_size(incident)} in {lasts}, with {newest['name']}: {newest['sentence']}"
            yield _cut(line, width), {"fg": "yellow"}
        case "merged":
            yield f"{id_}  {incident['sentence']}", {}
        case _:
            yield f"{id_}  is over: {_size(incident)}{f' in {lasts}' if lasts != '-' else ''}", {}
