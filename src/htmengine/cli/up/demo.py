"""`htmengine up --demo`: a fleet's metrics go in, and what the models find unusual comes out."""

import json
import sys
import threading
import time
from typing import Final

from htmengine.cli import monitoring, results
from htmengine.cli.terminal import echo_stderr, echo_stdout
from htmengine.cli.up import fleet
from htmengine.cli.up.fleet import Anomaly, Incident
from htmengine.repository import overview
from htmengine.service.context import Context
from htmengine.service.lines import publish_lines

HISTORY_S: Final = 12 * fleet.DAY_S
LINES_PER_MESSAGE: Final = 600
SEED: Final = 7
HEARTBEAT: Final = fleet.KINDS[0].name
"""The metric whose every row is shown, so that one sees data flow."""
NEARLY: Final = 0.4
ENDS_WITHIN_S: Final = 60.0
"""How long the results of what was sent are waited for at the end."""
FOUND_WITHIN_S: Final = 2
"""An anomaly is found when its metric has an anomalous row between its begin and so long after its end."""


def run(context: Context, seconds: float | None) -> None:
    """Send history, then live samples until `stop` is set or for so many seconds; show results; sum up on stdout."""
    monitoring.ensure_monitored(context, [kind.name for kind in fleet.KINDS])
    now = int(time.time())
    sent = _send_history(context, now)
    sender = _LiveSender(context, now + 1)
    echo_stderr(
        f"Live now: {len(fleet.KINDS)} metrics, a sample a second each, anomalies put in now and then. "
        f"Every row of {HEARTBEAT} is shown, and of the others what is unusual.\n"
    )
    sender.start()
    alarms = _show_results(context, sender, seconds)
    _sum_up(sent + sender.sent, sender.incidents, alarms, sender.last)


def _send_history(context: Context, now: int) -> int:
    """Send what the models shall have seen before, wait until it is scored, and return the number of samples."""
    with context.database.read() as conn:
        states = overview.metrics(conn, [kind.name for kind in fleet.KINDS])
    first = max([now - HISTORY_S, *((state.tail_timestamp or 0) + 1 for state in states)])
    history = list(fleet.lines(first, now, SEED))
    echo_stderr(
        f"Sending {len(history):,} samples of history, {(now - first + 1) / fleet.DAY_S:.1f} days of the fleet..."
    )
    began = time.monotonic()
    for at in range(0, len(history), LINES_PER_MESSAGE):
        publish_lines(context, history[at : at + LINES_PER_MESSAGE])
    while not context.stop.wait(0.1):
        with context.database.read() as conn:
            states = overview.metrics(conn, [kind.name for kind in fleet.KINDS])
        if all((state.tail_timestamp or 0) >= now and not state.unscored for state in states):
            break
    if context.stop.is_set():
        return len(history)
    took = time.monotonic() - began
    echo_stderr(f"Stored, scored and published in {took:.1f} s: {len(history) / took:,.0f} samples a second.")
    return len(history)


class _LiveSender(threading.Thread):
    """Sends every metric once a second, what was missed until now at once; at any time at most one anomaly goes on."""

    def __init__(self, context: Context, begin: int) -> None:
        super().__init__(name="demo", daemon=True)
        self.sent = 0
        self.last = 0
        """The second of the newest samples."""
        self.incidents: list[Incident] = []
        self._installation = context
        self._begin = begin
        self._ended = threading.Event()

    def end(self) -> None:
        """Send no more."""
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Send until `end` is called."""
        began, timer = time.time(), time.monotonic()
        planned = fleet.incidents(max(self._begin, int(began)), SEED)
        incident = next(planned)
        second = self._begin
        while not self._ended.wait(max(0.0, second - began - (time.monotonic() - timer))):
            if second > incident.last:
                incident = next(planned)
            if second == incident.first:
                self.incidents.append(incident)
                echo_stderr(f"    now: {_described(incident)}")
            publish_lines(
                self._installation,
                [
                    f"{kind.name} {fleet.sample(kind, second, SEED, incident)!r} {second}"
                    for kind in fleet.KINDS
                ],
            )
            self.sent += len(fleet.KINDS)
            self.last = second
            second += 1


def _show_results(context: Context, sender: _LiveSender, seconds: float | None) -> list[results.Row]:
    """Print results until `stop` is set, or those of so many seconds, and return the anomalous rows."""
    newest = {kind.name: 0 for kind in fleet.KINDS}
    shown = threading.Event()

    def end() -> None:
        context.stop.wait(seconds)
        sender.end()
        deadline = time.monotonic() + ENDS_WITHIN_S
        while min(newest.values()) < sender.last and time.monotonic() < deadline:
            if context.stop.wait(0.1):
                break
        shown.set()

    threading.Thread(target=end, daemon=True).start()
    colours = sys.stderr.isatty()
    alarms = []
    for rows in results.arriving(context.bus, context.settings.batches_exchange, shown):
        for row in rows:
            if row.name in newest:
                newest[row.name] = row.timestamp
            if row.name == HEARTBEAT or row.log_score >= NEARLY:
                echo_stderr(results.text_of(row), **(results.style_of(row) if colours else {}))
            if row.log_score >= results.RED:
                alarms.append(row)
    context.stop.set()
    return alarms


def _sum_up(sent: int, incidents: list[Incident], alarms: list[results.Row], last: int) -> None:
    anomalies = [anomaly for incident in incidents for anomaly in incident.anomalies if anomaly.first <= last]
    found = [anomaly for anomaly in anomalies if any(_belongs(row, anomaly) for row in alarms)]
    stray = [row for row in alarms if not any(_belongs(row, anomaly) for anomaly in anomalies)]
    echo_stderr(
        f"\n{sent:,} samples went in; {len(anomalies)} anomalies were put in, {len(found)} of them found, "
        f"{len(stray)} other rows called anomalous."
    )
    echo_stdout(
        json.dumps(
            {"samples": sent, "anomalies": len(anomalies), "found": len(found), "otherAlarms": len(stray)}
        )
    )


def _described(incident: Incident) -> str:
    if len(incident.anomalies) == 1:
        return f"{incident.anomalies[0].metric}, {incident.what}"
    return f"{incident.what}, and it moves through {len(incident.anomalies)} metrics"


def _belongs(row: results.Row, anomaly: Anomaly) -> bool:
    return row.name == anomaly.metric and anomaly.first <= row.timestamp <= anomaly.last + FOUND_WITHIN_S
