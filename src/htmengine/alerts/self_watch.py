"""What the engine finds wrong with itself, told to every target: when it begins, and when it is over.

Looks are taken by the clock. What is wrong has to be so for a while before it counts, and to be well for a while before it is
over; what lies between both limits changes nothing. Who was told of what is read from the outbox, so that a service that
begins again does not tell it twice.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable
from typing import Final, NamedTuple

from htmengine.alerts import deliveries, engine_notices
from htmengine.alerts import notice as notices
from htmengine.alerts.engine_limits import Limits
from htmengine.alerts.engine_notices import Trouble
from htmengine.alerts.notice import Notice, Severity
from htmengine.alerts.writer import Writer
from htmengine.bus import BusError
from htmengine.errors import DependencyUnavailable
from htmengine.readable import counted, duration
from htmengine.repository import overview
from htmengine.repository.database import Database
from htmengine.service import capacity
from htmengine.service.capacity import Measured
from htmengine.service.context import LEAST_FREE_BYTES, Context, data_folder
from htmengine.service.health import MAX_DEAD_LETTERS, lag_of, rejected_by, services_of
from htmengine.system.thread_names import show_thread_name

INTERVAL_S: Final = 30.0
BEGIN_HOLD_S: Final = 120.0
"""Something is wrong for so long before anybody is told."""
END_HOLD_S: Final = 300.0
"""It is well for so long before that is told."""
COOLDOWN_S: Final = 1800.0
"""After the last notice of a trouble that was over, it is not told of anew before this has passed."""
REFUSALS_S: Final = 600.0
"""What is refused is counted over so long."""
MIN_REFUSED: Final = 10
"""Fewer in that time are not told of, whatever part they are."""
CLOSE_S: Final = 5.0

log = logging.getLogger(__name__)


class Look(NamedTuple):
    """The engine at one time."""

    rows: int
    """Samples that were ever stored."""
    rejected: int
    """Samples that were refused since the services started."""
    lag_s: float
    dead_letters: int
    free_bytes: int | None
    """Of the disk of the data folder; None where there is none, as `size_bytes`."""
    size_bytes: int | None
    models: int = 0
    capacity: Measured | None = None
    """What this machine was measured to carry."""


class Reading(NamedTuple):
    """What a look says of one kind of trouble."""

    rule: str
    severity: Severity
    is_wrong: bool | None
    """None: it is not known, or neither wrong nor well again."""
    sentence: str
    hint: str
    age_s: float = 0.0
    """For how long it is so already."""


def look(context: Context) -> Look:
    """Look at the engine, as the page Health does."""
    status = {queue.name: queue for queue in context.bus.status()}
    dead = Counter(letter.queue for letter in context.bus.dead_letters(limit=MAX_DEAD_LETTERS))
    services = services_of(context, status, dead)
    with context.database.read() as conn:
        totals = overview.totals(conn)
    folder = data_folder(context.settings)
    usage = shutil.disk_usage(folder) if folder else None
    return Look(
        rows=totals.rows,
        rejected=rejected_by(services),
        lag_s=lag_of(services),
        dead_letters=dead.total(),
        free_bytes=usage.free if usage else None,
        size_bytes=usage.total if usage else None,
        models=totals.monitored,
        capacity=capacity.load(context.settings),
    )


class _Held:
    """Whether something counts as wrong, once it was so for long enough."""

    def __init__(self, is_wrong: bool) -> None:
        self.is_wrong = is_wrong
        self._since: float | None = None
        """When it began to be otherwise."""

    def take(self, is_wrong: bool | None, now: float) -> None:
        """Take the next reading; `now` is by a timer."""
        if is_wrong is None or is_wrong == self.is_wrong:
            self._since = None
        elif self._since is None:
            self._since = now
        elif now - self._since >= (BEGIN_HOLD_S if is_wrong else END_HOLD_S):
            self.is_wrong, self._since = is_wrong, None


class _Reader:
    """Makes readings of looks, some of which are compared with those before."""

    def __init__(self) -> None:
        self._rows: int | None = None
        self._grew_at = 0.0
        self._has_grown = False
        self._looks: deque[tuple[float, Look]] = deque()

    def read(self, seen: Look, limits: Limits, now: float) -> list[Reading]:
        """Return what a look says of each kind of trouble; `now` is by a timer."""
        while self._looks and now - self._looks[0][0] > REFUSALS_S:
            self._looks.popleft()
        if self._looks and seen.rejected < self._looks[-1][1].rejected:
            self._looks.clear()  # a service was started anew, and counts from 0
        self._looks.append((now, seen))
        return [
            self._no_samples(seen, limits, now),
            self._lag(seen, limits),
            self._refusals(seen, limits),
            Reading(
                "dead letters",
                "warning",
                seen.dead_letters > 0,
                f"{counted(seen.dead_letters, 'message')} that no service could use "
                f"{'was' if seen.dead_letters == 1 else 'were'} put aside",
                "`htmengine dead list` says why, `htmengine dead requeue` gives them back.",
            ),
            self._disk(seen, limits),
            self._capacity(seen, now),
        ]

    def _no_samples(self, seen: Look, limits: Limits, now: float) -> Reading:
        if self._rows is None:
            self._grew_at = now
        elif seen.rows > self._rows:
            self._grew_at, self._has_grown = now, True
        self._rows = seen.rows
        age_s = now - self._grew_at
        is_wrong: bool | None = age_s >= limits.no_samples_s
        if seen.rows == 0:
            is_wrong = False  # none has ever come
        elif not is_wrong and not self._has_grown:
            is_wrong = None  # when the last one came is not known
        return Reading(
            "no samples",
            "critical",
            is_wrong,
            f"no sample has been stored for {duration(age_s)}",
            "See whether the senders reach the engine: `htmengine status` shows what each service takes and refuses.",
            age_s,
        )

    @staticmethod
    def _lag(seen: Look, limits: Limits) -> Reading:
        return Reading(
            "lag",
            "warning",
            _beyond(seen.lag_s, limits.lag_s, limits.lag_s / 2),
            f"scores come {duration(seen.lag_s)} late",
            "The queue with the most messages, in `htmengine status`, belongs to the slowest stage.",
        )

    def _refusals(self, seen: Look, limits: Limits) -> Reading:
        before = self._looks[0][1]
        refused, stored = seen.rejected - before.rejected, max(0, seen.rows - before.rows)
        part = refused / (refused + stored) if refused else 0.0
        is_wrong: bool | None = None
        if len(self._looks) > 1:
            is_wrong = False if refused < MIN_REFUSED else _beyond(part, limits.refused, limits.refused / 2)
        return Reading(
            "refusals",
            "warning",
            is_wrong,
            f"{part:.1%} of what arrived in the last {duration(REFUSALS_S)} was refused",
            "`htmengine status` shows the reasons with an example of each.",
        )

    @staticmethod
    def _disk(seen: Look, limits: Limits) -> Reading:
        free, size = seen.free_bytes, seen.size_bytes
        is_wrong: bool | None = False
        sentence = ""
        if free is not None and size:
            least = max(limits.disk_free * size, LEAST_FREE_BYTES)
            is_wrong = _beyond(-free, -least, -1.1 * least)
            sentence = f"the disk of the data has {free >> 20:,} MiB left, {free / size:.1%} of it"
        return Reading(
            "disk",
            "warning",
            is_wrong,
            sentence,
            "Make room, or set [engine] retention_days of application.conf; what cannot be written waits until then.",
        )

    def _capacity(self, seen: Look, now: float) -> Reading:
        """Tell when the fleet comes near what this machine was measured to carry."""
        is_wrong: bool | None = False
        sentence = ""
        if seen.capacity is not None:
            since, before = self._looks[0]
            rate = max(0, seen.rows - before.rows) / (now - since) if now > since else None
            used = capacity.use(seen.capacity, models=seen.models, samples_per_second=rate)
            is_wrong = _beyond(used.share, capacity.WARNS_FROM, 0.9 * capacity.WARNS_FROM)
            sentence = f"{used.share:.0%} of what this machine was measured to carry: {used.sentence}"
        return Reading(
            "capacity",
            "warning",
            is_wrong,
            sentence,
            "More memory, longer intervals or another machine make room; `htmengine capacity` measures again.",
        )


def _beyond(value: float, limit: float, well: float) -> bool | None:
    """Return whether a value is above a limit; None where it is not, and has not come down to where all is well."""
    if value > limit:
        return True
    return None if value > well else False


class SelfWatch:
    """Looks at the engine, and stores what is to be told of it.

    Parameters
    ----------
    writer : of the outbox; only the active one's process tells.
    look : returns the state of the engine.
    clock : seconds since the epoch.
    timer : seconds that only grow.
    """

    def __init__(
        self,
        database: Database,
        writer: Writer,
        look: Callable[[], Look],
        *,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._writer = writer
        self._look = look
        self._clock = clock
        self._timer = timer
        self._limits = Limits()
        self._targets: tuple[str, ...] = ()
        self._reader = _Reader()
        self._held: dict[str, _Held] = {}

    def use(self, limits: Limits, targets: Iterable[str]) -> None:
        """Go by other limits, and tell others, from now on."""
        self._limits = limits
        self._targets = tuple(targets)

    def run(self, stop: threading.Event) -> None:
        """Look again and again until `stop` is set. What cannot be looked at is looked at the next time."""
        show_thread_name()
        while not stop.wait(INTERVAL_S):
            try:
                self.work()
            except (DependencyUnavailable, BusError, OSError) as error:
                log.warning("alerts.engine_not_seen reason=%s", error)
            except Exception:
                log.exception("alerts.engine_not_seen")

    def work(self) -> None:
        """Look once, and store what is to be told."""
        if not self._targets or not self._writer.is_fresh():
            self._reader, self._held = _Reader(), {}  # another may tell meanwhile
            return
        limits, targets = self._limits, self._targets
        readings = self._reader.read(self._look(), limits, self._timer())
        wrong = []
        with self._database.read() as conn:
            disabled = deliveries.disabled_targets(conn)
            known = deliveries.last_troubles(conn, [one.rule for one in readings])
        due = False
        usable = [name for name in targets if name not in disabled]
        for one in readings:
            is_open = any(row.kind != notices.RESOLVED and row.target in usable for row in known[one.rule])
            held = self._held.setdefault(one.rule, _Held(is_open))
            held.take(one.is_wrong, self._timer())
            if limits.watch and held.is_wrong:
                wrong.append(one.rule)
            due = due or bool(self._due(one, known[one.rule], usable, one.rule in wrong))
        if due:
            self._store(readings, wrong, usable)

    def _store(self, readings: Collection[Reading], wrong: Collection[str], targets: Collection[str]) -> None:
        """Store what is to be told, in one transaction, unless another writer has taken over."""
        now = self._clock()
        with self._database.write() as conn:
            if deliveries.begin(conn, 0).owner != self._writer.owner:
                return
            known = deliveries.last_troubles(conn, [one.rule for one in readings])
            for one in readings:
                is_wrong = one.rule in wrong
                due = self._due(one, known[one.rule], targets, is_wrong)
                for target, begun in due.items():
                    sentence = begun.sentence if begun else one.sentence
                    trouble = Trouble(one.rule, one.rule, one.severity, sentence, one.hint, now - one.age_s)
                    kind: notices.Kind = "opened" if is_wrong else "resolved"
                    engine_notices.add(conn, trouble, kind, {target: begun}, now)
                    log.warning(
                        "alerts.engine rule=%s kind=%s target=%s: %s", one.rule, kind, target, sentence
                    )

    def _due(
        self, reading: Reading, last: Iterable[deliveries.Delivery], targets: Iterable[str], is_wrong: bool
    ) -> dict[str, Notice | None]:
        """Return the targets that are to be told; where a trouble is over, with the notice of its beginning."""
        now, rows = self._clock(), {row.target: row for row in last}
        due: dict[str, Notice | None] = {}
        for name in targets:
            row = rows.get(name)
            is_open = row is not None and row.kind != notices.RESOLVED
            if is_wrong and not is_open:
                cools = row is not None and 0 <= now - row.created < COOLDOWN_S
                if reading.is_wrong and not cools:
                    due[name] = None
            elif is_open and not is_wrong and row is not None:
                due[name] = notices.decode(row.notice)
        return due
