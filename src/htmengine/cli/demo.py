"""`htmengine up --demo`: a fleet's metrics go in, and what the models find unusual comes out."""

import json
import sys
import threading
import time
from collections.abc import Iterable
from typing import Final

import typer

from htmengine.bus import Outgoing, QueueFull
from htmengine.cli import fleet, monitoring, showing
from htmengine.cli.fleet import Incident
from htmengine.cli.session import advise
from htmengine.messages import MetricLines, encode_json
from htmengine.repository import overview
from htmengine.repository.engine import reading
from htmengine.runtime.plaintext import PROTOCOL
from htmengine.runtime.process import Context

HISTORY_S: Final = 12 * fleet.DAY_S
LINES_PER_MESSAGE: Final = 600
SEED: Final = 7
HEARTBEAT: Final = fleet.KINDS[0].name
"""The metric whose every row is shown, so that one sees data flow."""
NEARLY: Final = 0.4
FOUND_WITHIN_S: Final = 2
"""An anomaly is found when its metric has an anomalous row between its begin and so long after its end."""


def run(context: Context, seconds: float | None) -> None:
    """Send history, then live samples until told to stop or for so many seconds; show results; sum up on stdout."""
    monitoring.ensure_monitored(context, [kind.name for kind in fleet.KINDS])
    now = int(time.time())
    sent = _send_history(context, now)
    sender = _LiveSender(context, now + 1)
    advise(
        f"Live now: {len(fleet.KINDS)} metrics, a sample a second each, anomalies put in now and then. "
        f"Every row of {HEARTBEAT} is shown, and of the others what is unusual.\n"
    )
    stop = threading.Event()
    watcher = threading.Thread(target=_stop_later, args=(context.stop, stop, seconds), daemon=True)
    watcher.start()
    sender.start()
    alarms = _show_results(context, stop, sender)
    sender.join()
    _sum_up(sent + sender.sent, sender.incidents, alarms, int(time.time()))


def _stop_later(outer: threading.Event, stop: threading.Event, seconds: float | None) -> None:
    outer.wait(seconds)
    stop.set()


def _send_history(context: Context, now: int) -> int:
    """Send what the models shall have seen before, wait until it is scored, and return the number of samples."""
    with reading(context.engine) as conn:
        states = overview.metrics(conn, [kind.name for kind in fleet.KINDS])
    first = max([now - HISTORY_S, *((state.tail_timestamp or 0) + 1 for state in states)])
    history = list(fleet.lines(first, now, SEED))
    advise(
        f"Sending {len(history):,} samples of history, {(now - first + 1) / fleet.DAY_S:.1f} days of the fleet..."
    )
    began = time.monotonic()
    for at in range(0, len(history), LINES_PER_MESSAGE):
        _publish(context, history[at : at + LINES_PER_MESSAGE])
    while not context.stop.wait(0.1):
        with reading(context.engine) as conn:
            states = overview.metrics(conn, [kind.name for kind in fleet.KINDS])
        if all((state.tail_timestamp or 0) >= now and not state.unscored for state in states):
            break
    took = time.monotonic() - began
    advise(f"Stored, scored and published in {took:.1f} s: {len(history) / took:,.0f} samples a second.")
    return len(history)


class _LiveSender(threading.Thread):
    """Sends every metric once a second; at any time at most one anomaly goes on."""

    def __init__(self, context: Context, begin: int) -> None:
        super().__init__(name="demo", daemon=True)
        self.sent = 0
        self.incidents: list[Incident] = []
        self._context = context
        self._begin = begin

    def run(self) -> None:
        """Send until the engine stops."""
        planned = fleet.incidents(self._begin, SEED)
        incident = next(planned)
        second = self._begin
        while not self._context.stop.wait(max(0.0, second - time.time())):
            if second > incident.last:
                incident = next(planned)
            if second == incident.first:
                self.incidents.append(incident)
                advise(f"    now: {incident.metric}, {incident.what}")
            _publish(
                self._context,
                [
                    f"{kind.name} {fleet.sample(kind, second, SEED, incident)!r} {second}"
                    for kind in fleet.KINDS
                ],
            )
            self.sent += len(fleet.KINDS)
            second += 1


def _publish(context: Context, lines: Iterable[str]) -> None:
    body = encode_json(MetricLines(protocol=PROTOCOL, data=list(lines)))
    while True:
        try:
            context.bus.publish([Outgoing(context.settings.listener.queue, body)])
            return
        except QueueFull:
            if context.stop.wait(0.1):
                return


def _show_results(context: Context, stop: threading.Event, sender: _LiveSender) -> list[showing.Row]:
    """Print results until told to stop, and return the anomalous rows."""
    colours = sys.stderr.isatty()
    alarms = []
    for rows in showing.arriving(context.bus, context.settings.batches_exchange, stop):
        for row in rows:
            if row.name == HEARTBEAT or row.log_score >= NEARLY:
                advise(showing.text_of(row, colours))
            if row.log_score >= showing.RED:
                alarms.append(row)
    context.stop.set()
    return alarms


def _sum_up(sent: int, incidents: list[Incident], alarms: list[showing.Row], now: int) -> None:
    found = [incident for incident in incidents if any(_belongs(row, incident) for row in alarms)]
    stray = [row for row in alarms if not any(_belongs(row, incident) for incident in incidents)]
    advise(
        f"\n{sent:,} samples went in; {len(incidents)} anomalies were put in, {len(found)} of them found, "
        f"{len(stray)} other rows called anomalous."
    )
    typer.echo(
        json.dumps(
            {"samples": sent, "anomalies": len(incidents), "found": len(found), "otherAlarms": len(stray)}
        )
    )


def _belongs(row: showing.Row, incident: Incident) -> bool:
    return row.name == incident.metric and incident.first <= row.timestamp <= incident.last + FOUND_WITHIN_S
