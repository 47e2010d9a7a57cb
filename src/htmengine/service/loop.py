"""The one loop of every queue-fed service: consume, process, publish, acknowledge."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Final, NamedTuple, Protocol, TypeVar

from htmengine.bus import Bus, Consumer, Delivery, Fanout, Outgoing, QueueFull
from htmengine.errors import DependencyUnavailable
from htmengine.service.counters import Counters
from htmengine.service.fault_injection import Step, no_step
from htmengine.service.retry import FIRST_PAUSE_S, ShutdownRequested, retry_while_unavailable
from htmengine.system.backoff import Backoff, retry

T = TypeVar("T")

log = logging.getLogger(__name__)

BEST_EFFORT_TIMEOUT_S: Final = 2.0
"""How long a best-effort message waits for a full queue."""


def batch_size(*, wanted: int, rows: int, messages: int, least: int, most: int) -> int:
    """Return how many messages have the wanted number of rows together, going by the last ones.

    Parameters
    ----------
    rows, messages : of the last batch; at least one row.
    least, most : messages to take in any case, and at most.
    """
    return min(max(wanted * messages // rows, least), most)


class MessageBatch:
    """How many messages of the queues of shards are taken at a time: as many as have `ROWS` rows together, going by the last ones."""

    LEAST: Final = 16
    """And one of each shard: the more shards there are, the fewer rows stand in a message."""
    ROWS: Final = 4000
    MAX_PER_SHARD: Final = 8

    def __init__(self, shards: int) -> None:
        self._least = max(self.LEAST, shards)
        self._most = max(self._least, self.MAX_PER_SHARD * shards)
        self.messages = self._least

    def follow(self, *, rows: int, messages: int) -> int:
        """Return how many are taken after a batch of so many messages, with so many rows; without rows, as many as before."""
        if rows:
            self.messages = batch_size(
                wanted=self.ROWS, rows=rows, messages=messages, least=self._least, most=self._most
            )
        return self.messages


class Outcome(NamedTuple):
    """The result of a batch: it is published, and everything but the dead letters is acknowledged, in one step where the bus can."""

    publish: Sequence[Outgoing | Fanout] = ()
    dead_letters: Sequence[tuple[Delivery, str]] = ()
    best_effort: Sequence[Outgoing] = ()
    """Published too, but dropped for a queue that stays full: the messages can be made again from the repository."""
    as_owner: bool = False
    """Publish only while the messages are this consumer's. Whoever gets them instead publishes the same, in their order; to
    publish what comes of later ones before that would not be in order."""
    secure: Callable[[], None] | None = None
    """Called before anything is acknowledged, and behind what is published as best effort: brings to the disk what the
    messages became."""
    gate: str | None = None
    """Publish by this gate. The stage ends with `GateClosed` where it is closed."""


class Stage(Protocol):
    """What a service does with its messages. Knows nothing of the broker."""

    name: str
    queues: Sequence[str]
    max_messages: int
    """How many messages to take at a time."""
    counters: Counters

    @property
    def poll_interval_s(self) -> float:
        """How long to wait for messages before `process` is called without any; 0 when there is work left over."""
        ...

    def process(self, deliveries: Sequence[Delivery]) -> Outcome:
        """Work on messages, or, when there are none, on what else is due.

        It must be safe to call again with the same messages: a crash anywhere before they are acknowledged means that
        they come again. A message that cannot be decoded is among the dead letters of the outcome; its neighbours are
        worked on.
        """
        ...

    def settle(self) -> None:
        """Do what may only happen once the outcome was published and acknowledged, such as checkpoints."""
        ...

    def close(self) -> None:
        """Save what is to be saved: the service stops in good order."""
        ...


def run(
    stage: Stage, bus: Bus, stop: threading.Event, *, step: Step = no_step, profiling: bool = False
) -> None:
    """Consume, process and publish until `stop` is set; then let the stage save its state.

    The acknowledgement comes last. What a dependency that is unavailable or a full queue holds up is kept and tried again,
    with growing pauses; an error of ours ends the service, and its messages come again to the next.

    Parameters
    ----------
    step : called with the name of each step when it is done.
    profiling : log how long each batch took; also where the log level is DEBUG.
    """

    def retrying(action: Callable[[], T]) -> T:
        return retry_while_unavailable(action, stage.name, stop)

    best_effort = _BestEffort(bus, stage.name, stop)
    with ExitStack() as stack:
        try:
            consumer = stack.enter_context(retrying(partial(bus.consume, stage.queues)))
            while not stop.is_set():
                deliveries = retrying(
                    lambda: consumer.receive(max_messages=stage.max_messages, timeout_s=stage.poll_interval_s)
                )
                watch = Stopwatch()
                outcome = retrying(partial(stage.process, deliveries))
                watch.lap("process")
                step(f"{stage.name}.processed")
                if outcome.best_effort:
                    retrying(partial(best_effort.publish, outcome.best_effort))
                    watch.lap("publish")
                if outcome.secure:
                    retrying(outcome.secure)
                    watch.lap("secure")
                if not _finish(consumer, deliveries, outcome, retrying):
                    log.warning("%s.lost_its_messages messages=%d", stage.name, len(deliveries))
                    continue
                if outcome.publish or outcome.best_effort:
                    step(f"{stage.name}.published")
                if deliveries:
                    watch.lap("finish")
                    step(f"{stage.name}.acknowledged")
                retrying(stage.settle)
                if deliveries:
                    watch.lap("settle")
                    watch.log(stage.name, profiling, messages=len(deliveries))
        except ShutdownRequested:
            pass  # what was not acknowledged comes again
        try:
            stage.close()
        except DependencyUnavailable as error:
            log.warning("%s.not_saved reason=%s", stage.name, error)  # as after a crash: it is made again


class Retrying(Protocol):
    """Does something until it succeeds, as long as what it needs is unavailable."""

    def __call__(self, action: Callable[[], T], /) -> T:
        """Return what the action returns. Raises ShutdownRequested."""
        ...


class Stopwatch:
    """Times the parts of one batch."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, part: str) -> None:
        """End a part, and begin the next."""
        now = time.perf_counter()
        self._laps[part] = now - self._last
        self._last = now

    def log(self, service: str, profiling: bool, **sizes: int) -> None:
        """Write one line: how much it was, and how long each part took. DEBUG, but INFO with `profiling`."""
        level = logging.INFO if profiling else logging.DEBUG
        if log.isEnabledFor(level):
            fields = [f"{name}={size}" for name, size in sizes.items()]
            fields += [f"{part}_ms={1000 * taken:.1f}" for part, taken in self._laps.items()]
            log.log(level, "%s.batch %s", service, " ".join(fields))


class _BestEffort:
    """Publishes what may be left out.

    A full queue is waited for a while, so that a consumer that is merely slower sets the pace. One that took nothing in
    that time gets what it has room for, until it moves again.
    """

    def __init__(self, bus: Bus, name: str, stop: threading.Event) -> None:
        self._bus = bus
        self._name = name
        self._stop = stop
        self._stuck: set[str] = set()

    def publish(self, messages: Sequence[Outgoing]) -> None:
        """Publish messages, but for those whose queue stays full. Raises ShutdownRequested."""
        try:
            self._bus.publish(messages)
        except QueueFull:  # which of them were accepted is not known; publishing again is safe
            for queue in dict.fromkeys(message.queue for message in messages):
                self._publish_to(queue, [message for message in messages if message.queue == queue])
        else:
            self._stuck.clear()

    def _publish_to(self, queue: str, messages: Sequence[Outgoing]) -> None:
        backoff = Backoff(FIRST_PAUSE_S, FIRST_PAUSE_S)
        timeout_s = 0.0 if queue in self._stuck else BEST_EFFORT_TIMEOUT_S

        def sleep(pause_s: float) -> None:
            if self._stop.wait(pause_s):
                raise ShutdownRequested

        try:
            retry(
                partial(self._bus.publish, messages),
                QueueFull,
                backoff,
                worth=lambda _: backoff.waited_s < timeout_s,
                sleep=sleep,
            )
        except QueueFull as error:
            if queue not in self._stuck:
                log.warning("%s.going_on queue=%s reason=%s", self._name, queue, error)
                self._stuck.add(queue)
        else:
            self._stuck.discard(queue)


def _finish(
    consumer: Consumer,
    deliveries: Sequence[Delivery],
    outcome: Outcome,
    retrying: Retrying,
) -> bool:
    """Put the dead letters aside, publish an outcome, and acknowledge the other messages.

    Returns False, and publishes nothing, where only an owner may and this one no longer is.
    """
    dead = set()
    for delivery, reason in outcome.dead_letters:
        retrying(partial(consumer.dead_letter, delivery, reason))
        dead.add((delivery.queue, delivery.tag))
    done = [delivery for delivery in deliveries if (delivery.queue, delivery.tag) not in dead]

    def finish() -> bool:
        if outcome.as_owner and not consumer.still_has(done):
            return False
        consumer.publish_and_ack(outcome.publish, done, gate=outcome.gate)
        return True

    return retrying(finish) if outcome.publish or done else True
