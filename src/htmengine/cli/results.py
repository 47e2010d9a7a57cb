"""How results are shown in the terminal: one line for each row, anomalies highlighted."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Final, Literal, NamedTuple, Self, TypeAlias

import msgspec

from htmengine import readable
from htmengine.bus import Bus
from htmengine.bus.subscription import subscribed
from htmengine.cli.selection import fitting, require_all, select
from htmengine.cli.session import print_json, tell_if_nobody_takes, utc
from htmengine.cli.terminal import echo_stderr, echo_stdout
from htmengine.incidents.sentences import sentence
from htmengine.messages import BatchRow, MalformedMessage, Why, decode_results_batch, decode_why
from htmengine.repository import schema
from htmengine.repository.latest_scores import LatestScore, latest_scores
from htmengine.service.context import Context
from htmengine.service.program import stopping_on_signals

FOLLOWER_LIMIT: Final = 10_000
"""Batches; a follower that is slower than this loses the oldest."""
RED: Final = 0.5
YELLOW: Final = 0.4
RANKED: Final = 1000
"""The strongest are looked for among so many of the newest notable rows."""
ROWS_A_SECOND: Final = 20
"""What a person may read of rows that come; of more, only those from yellow on are shown."""
SUMMARY_S: Final = 10.0
_HEADING: Final = f"{'Time (UTC)':19}  {'Log score':>9}  {'Anomaly':>9}  {'Value':>12}  Metric"


class Row(NamedTuple):
    """One scored sample."""

    name: str
    rowid: int
    timestamp: int
    value: float
    anomaly_score: float
    log_score: float
    forecast: float | None = None
    """This, and the two below, are None where the model does not know yet, or tells none."""
    usual: tuple[float, float] | None = None
    one_in: float | None = None
    why: Why | None = None

    @classmethod
    def stored(cls, row: LatestScore) -> Self:
        """Return a row that is stored, and its alarm."""
        return cls(
            row.name,
            row.rowid,
            row.timestamp,
            row.value,
            row.anomaly_score,
            row.log_score or 0.0,
            row.forecast,
            row.usual,
            row.alarm.one_in if row.alarm else None,
            decode_why(row.alarm.why) if row.alarm and row.alarm.why else None,
        )

    @classmethod
    def published(cls, row: BatchRow) -> Self:
        """Return a row as it is published."""
        return cls(
            row.name,
            row.rowid,
            row.ts,
            row.value,
            row.anomaly,
            row.log_score,
            row.forecast,
            row.usual,
            row.one_in,
            row.why or None,
        )


Show = Callable[[Iterable[Row]], None]
Sort: TypeAlias = Literal["time", "score"]


class Wanted(NamedTuple):
    """Whose results are shown."""

    names: Sequence[str] = ()
    """Names, or patterns of them; none for all metrics."""
    regex: bool = False

    def uids(self, context: Context) -> list[str] | None:
        """Return the metrics that there are; None for all. Raises MisuseError."""
        if not self.names:
            return None
        return [state.uid for state in require_all(select(context, self.names, regex=self.regex))]

    def fits(self) -> Callable[[str], object]:
        """Return what tells whether the results of a name are shown, also of one that there is not yet."""
        if not self.names:
            return lambda name: True
        patterns = [fitting(text, regex=self.regex) for text in self.names]
        names = frozenset(() if self.regex else self.names)
        return cache(lambda name: name in names or any(fits(name) for fits in patterns))


def show_stored(
    context: Context, wanted: Wanted, *, min_score: float, limit: int, json: bool, sort: Sort = "time"
) -> None:
    """Print the newest stored scores.

    Sorted by time they are the newest, the oldest of them first; by score the strongest of the newest, the strongest first.
    """
    _show_stored(_stored(context, wanted, min_score=min_score, limit=limit, sort=sort), min_score, json=json)


def _stored(
    context: Context, wanted: Wanted, *, min_score: float, limit: int, sort: Sort = "time"
) -> list[Row]:
    uids = wanted.uids(context)
    by_score = sort == "score"
    with context.database.read() as conn:
        rows = latest_scores(
            conn,
            uids=uids,
            least_log_score=max(min_score, schema.NOTABLE_LOG_SCORE) if by_score else min_score,
            limit=max(limit, RANKED) if by_score else limit,
        )
    if by_score:
        rows = sorted(rows, key=lambda row: -(row.log_score or 0.0))[:limit]
    return [Row.stored(row) for row in rows]


def _show_stored(rows: Sequence[Row], min_score: float, *, json: bool) -> None:
    if not json:
        if not rows:
            echo_stderr(
                "There are no such scores yet. `htmengine doctor` says why, for each metric."
                if min_score == 0
                else "There are no such scores."
            )
        echo_stdout(_HEADING)
    printer(json)(rows)


def follow(context: Context, wanted: Wanted, *, min_score: float, limit: int, json: bool) -> None:
    """Print the newest stored scores, and then results as they come, until SIGINT or SIGTERM.

    For people, of many rows a second only those that nearly are anomalies, and now and then how many there were.
    """
    show = printer(json)
    stop = threading.Event()
    stored: list[Row] | None = []
    shown: set[tuple[str, int]] = set()
    calm = Calm()
    fits = wanted.fits()

    def read_first() -> None:
        nonlocal stored
        stored = _stored(context, wanted, min_score=min_score, limit=limit)

    def is_new(row: Row) -> bool:
        if (row.name, row.rowid) not in shown:
            return True
        shown.remove((row.name, row.rowid))  # a new model may score it again
        return False

    queues = [context.settings.results_shard_queue(shard) for shard in range(context.shards)]
    tell_if_nobody_takes(context, queues, "anomaly_service", "there are no new results.")
    with stopping_on_signals(stop):
        for rows in arriving(context.bus, context.settings.batches_exchange, stop, first=read_first):
            if stored is not None:
                earlier = _before(stored, rows)
                _show_stored(earlier, min_score, json=json)
                shown.update((row.name, row.rowid) for row in earlier)
                stored = None
            new = [row for row in rows if row.log_score >= min_score and fits(row.name) and is_new(row)]
            show(new if json else calm.chosen(new))
            if not json and (summary := calm.summary()):
                echo_stderr(summary)


def _before(stored: Sequence[Row], came: Sequence[Row]) -> list[Row]:
    """Return the stored rows that lie before those that came meanwhile: the others are told in their order, as they come."""
    first: dict[str, int] = {}
    for row in came:
        first[row.name] = min(row.rowid, first.get(row.name, row.rowid))
    return [row for row in stored if row.rowid < first.get(row.name, row.rowid + 1)]


class Calm:
    """Chooses of rows that come those that a person can read."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._second = self._summed_at = timer()
        self._shown = 0
        """In this second."""
        self._rows = 0
        self._left_out = 0
        self._metrics: set[str] = set()
        self._strongest: Row | None = None
        """Of those that were left out, since the last summary."""

    def chosen(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows to show, those of one time by their scores."""
        now = self._timer()
        if now - self._second >= 1.0:
            self._second, self._shown = now, 0
        room = max(0, ROWS_A_SECOND - self._shown)
        few = rows if len(rows) <= room else [row for row in rows if row.log_score >= YELLOW]
        shown = sorted(few, key=lambda row: -row.log_score)[:room]
        self._shown += len(shown)
        self._rows += len(rows)
        self._metrics.update(row.name for row in rows)
        kept = {id(row) for row in shown}
        left_out = [row for row in rows if id(row) not in kept]
        self._left_out += len(left_out)
        candidates = left_out if self._strongest is None else [*left_out, self._strongest]
        self._strongest = max(candidates, key=lambda row: row.log_score, default=None)
        return sorted(shown, key=lambda row: (row.timestamp, -row.log_score))

    def summary(self) -> str | None:
        """Return what was left out, where it is time to tell; else None."""
        now = self._timer()
        if now - self._summed_at < SUMMARY_S:
            return None
        text = None
        if self._strongest is not None:
            text = (
                f"{readable.counted(self._rows, 'result')} of {readable.counted(len(self._metrics), 'metric')} in "
                f"{now - self._summed_at:.0f} s, {self._left_out:,} not shown, the highest of them "
                f"{self._strongest.log_score:.3f}: {self._strongest.name}"
            )
        self._summed_at, self._rows, self._left_out = now, 0, 0
        self._metrics.clear()
        self._strongest = None
        return text


def arriving(
    bus: Bus, exchange: str, stop: threading.Event, *, first: Callable[[], None] = lambda: None
) -> Iterator[list[Row]]:
    """Yield results as they are published, until told to stop, and now and then none; `first` is done once none is missed."""
    with subscribed(bus, exchange, "follow", limit=FOLLOWER_LIMIT) as queue, bus.consume([queue]) as consumer:
        first()
        while not stop.is_set():
            deliveries = consumer.receive(max_messages=100, timeout_s=0.25)
            rows: list[Row] = []
            for delivery in deliveries:
                try:
                    rows += map(Row.published, decode_results_batch(delivery.body).rows)
                except MalformedMessage as error:
                    consumer.dead_letter(delivery, str(error))
            yield rows
            consumer.ack(deliveries)


def printer(json: bool) -> Show:
    """Return what prints rows to standard output: JSON lines, or text with anomalies in colour on a terminal."""
    if json:
        return _print_json
    colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return lambda rows: _print_text(rows, colours)


def _print_json(rows: Iterable[Row]) -> None:
    for row in rows:
        print_json(
            {
                "metric": row.name,
                "rowid": row.rowid,
                "timestamp": row.timestamp,
                "value": row.value,
                "anomalyScore": row.anomaly_score,
                "logScore": row.log_score,
                "forecast": row.forecast,
                "usual": row.usual,
            }
            | ({"oneIn": row.one_in} if row.one_in is not None else {})
            | ({"why": msgspec.to_builtins(row.why)} if row.why else {})
        )


def _print_text(rows: Iterable[Row], colours: bool) -> None:
    for row in rows:
        echo_stdout(text_of(row), **(style_of(row) if colours else {}))


def style_of(row: Row) -> dict[str, Any]:
    """Return how a row looks on a terminal with colours: anomalies are red, near ones yellow."""
    if row.log_score >= RED:
        return {"fg": "red", "bold": True}
    return {"fg": "yellow"} if row.log_score >= YELLOW else {}


def text_of(row: Row) -> str:
    """Return one line for a row; anomalies are marked."""
    mark = "  <-- anomaly" if row.log_score >= RED else ""
    if mark and row.why:
        mark += f": {sentence(row.why, row.value)}"
    return (
        f"{utc(row.timestamp)}  {row.log_score:9.3f}  {row.anomaly_score:9.5f}  {row.value:12.6g}  {row.name}"
        f"{mark}"
    )
