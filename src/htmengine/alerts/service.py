"""The service that tells of incidents: `python -m htmengine.alerts`, or a part of `htmengine up`."""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import Final

from htmengine import config
from htmengine.alerts import deliveries
from htmengine.alerts.configuration import Configuration, Follower
from htmengine.alerts.self_watch import CLOSE_S, SelfWatch, look
from htmengine.alerts.sender import Sender
from htmengine.alerts.writer import NAME as NAME
from htmengine.alerts.writer import Writer
from htmengine.repository.database import Database
from htmengine.service.context import Context
from htmengine.service.lease import give_back
from htmengine.service.retry import ShutdownRequested, retry_while_unavailable

POLL_INTERVAL_S: Final = 0.5
"""It is woken when a target is free again, and not by `stop`, which it sees after this at the latest."""

log = logging.getLogger(__name__)


def work(context: Context) -> None:
    """Tell of incidents until `context.stop` is set.

    While the file cannot be used from the beginning on, changes of incidents wait: who is told of them is not known.
    """
    follower = Follower(context.settings.alerts)
    wake = threading.Event()
    writer = Writer(
        context.database,
        follower.configuration.rules,
        page=page_of(context.settings.http),
        clock=context.clock,
        timer=context.timer,
        step=context.step,
    )
    sender = Sender(
        context.database,
        {},
        stop=context.stop,
        wake=wake.set,
        clock=context.clock,
        timer=context.timer,
        step=context.step,
    )
    watch = SelfWatch(
        context.database, writer, partial(look, context), clock=context.clock, timer=context.timer
    )
    watching = threading.Thread(target=watch.run, args=(context.stop,), name="self_watch", daemon=True)
    context.counters[NAME] = lambda: writer.counters.snapshot() | sender.counters.snapshot()

    def tell() -> bool:
        more = writer.work()
        if writer.is_fresh():
            sender.work()
        return more

    watching.start()
    try:
        while not context.stop.is_set():
            before = follower.configuration
            if follower.look():
                retry_while_unavailable(
                    partial(_enable_changed, context.database, before, follower.configuration),
                    NAME,
                    context.stop,
                )
                writer.follow(follower.configuration.rules)
                sender.use(follower.configuration.targets)
                watch.use(follower.configuration.engine, follower.configuration.targets)
            wake.clear()
            if not (follower.is_usable and retry_while_unavailable(tell, NAME, context.stop)):
                wake.wait(POLL_INTERVAL_S)
    except ShutdownRequested:
        pass
    finally:
        sender.close()
        watching.join(CLOSE_S)
    give_back(writer, NAME)


def page_of(http: config.Http) -> str | None:
    """Return the address of the page that messages link to, with a slash at its end; None where nobody has told.

    The address of this machine alone would lead nobody there who reads a message.
    """
    return f"{http.public_url}/" if http.public_url else None


def _enable_changed(database: Database, before: Configuration, now: Configuration) -> None:
    """Use targets again that wanted nothing any more, where their settings are others now."""
    changed = [
        name for name, settings in now.settings.items() if before.settings.get(name, settings) != settings
    ]
    if changed:
        with database.write() as conn:
            for name in changed:
                if deliveries.enable(conn, name):
                    log.info("%s.enabled target=%s", NAME, name)
