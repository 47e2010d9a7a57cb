"""Running totals through a real engine that is killed: each rate is stored once, and is that of an undisturbed run."""

import json
import signal
import urllib.error
import urllib.request

import cramjam
import pytest

from tests.acceptance.engine import Folder, wait_until
from tests.unit.doors.prometheus import sample, series_v1

pytestmark = pytest.mark.acceptance

START = 1_700_000_000
SERIES = 20
REQUESTS = 60


def request(number):
    """Return a request of remote write: a value of each counter, which grow at rates of their own."""
    written = b""
    for series in range(SERIES):
        total = float(number * (series + 1) * 60)
        labels = {"__name__": "hits_total", "n": str(series)}
        written += series_v1(labels, [sample(total, (START + 60 * number) * 1000)])
    return bytes(cramjam.snappy.compress_raw(written))


def post(folder, body, path="/api/v1/write", media="application/x-protobuf"):
    """Send a request; return whether it was taken."""
    headers = {"Content-Type": media} | (
        {"Content-Encoding": "snappy"} if media != "application/json" else {}
    )
    address = f"http://127.0.0.1:{folder.http_port}{path}"
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=60) as answer:
            return answer.status == 204
    except urllib.error.HTTPError as error:
        if error.code == 503:
            return False
        raise
    except OSError:
        return False


def send(folder, number):
    """Send a request again and again until it is taken."""
    wait_until(lambda: post(folder, request(number)), f"request {number}")


def test_an_engine_that_is_killed_loses_no_rate_and_makes_none_twice(tmp_path):
    folder = Folder(tmp_path / "data")
    sent = 0
    for killed_at in (7, 8, 20, 33, 47, REQUESTS):
        with folder.up() as process:
            while sent < killed_at:
                send(folder, sent)
                sent += 1
            if sent < REQUESTS:
                process.send_signal(signal.SIGKILL)
                process.wait()
                # The sender cannot know whether its last request was taken, and sends it again.
                sent -= 1
                continue
            wait_until(
                lambda: folder.select("SELECT 1 FROM metric WHERE last_rowid = ? LIMIT 1", REQUESTS - 1),
                "that everything is stored",
            )
            folder.settles()
    for series in range(SERIES):
        rows = folder.select(
            "SELECT d.rowid, d.metric_value FROM metric_data d JOIN metric m USING (uid) WHERE m.name = ? ORDER BY d.rowid",
            f"hits_total;n={series}",
        )
        assert rows == [(rowid, series + 1.0) for rowid in range(1, REQUESTS)]


MINUTES = """
[pods]
pattern = *;pod=*
drop_tags = pod

[sums]
pattern = sum.*
interval = 1m
aggregation = sum

[everything]
pattern = *
action = ignore
"""


def test_an_engine_that_is_killed_makes_the_same_rows_of_intervals(tmp_path):
    """Samples lie 10 s apart, from two senders that become one metric; each message is sent again after a kill."""
    folder = Folder(tmp_path / "data")
    (folder.path / "monitor-rules.conf").write_text(MINUTES)
    intervals, at_once, sent = 20, 5, 0
    start = START // 60 * 60
    steps = intervals * 6 + 1

    def send_steps(first, last):
        points = [
            {
                "metric": f"sum.{n}",
                "timestamp": start + second,
                "value": second % 7 + n + pod,
                "tags": {"pod": str(pod)},
            }
            for second in range(first * 10, last * 10, 10)
            for n in range(SERIES)
            for pod in (1, 2)
        ]
        body = json.dumps(points).encode()
        wait_until(lambda: post(folder, body, "/api/put", "application/json"), f"steps from {first}")

    for killed_at in (23, 24, 61, steps):
        with folder.up() as process:
            while sent < killed_at:
                following = min(sent + at_once, killed_at)
                send_steps(sent, following)
                sent = following
            if sent < steps:
                process.send_signal(signal.SIGKILL)
                process.wait()
                sent = max(0, sent - 4)
                continue
            wait_until(
                lambda: len(folder.select("SELECT 1 FROM metric WHERE last_rowid = ?", intervals)) == SERIES,
                "that every interval is a row",
            )
    for n in range(SERIES):
        rows = folder.select(
            "SELECT d.rowid, d.metric_value FROM metric_data d JOIN metric m USING (uid) WHERE m.name = ? ORDER BY d.rowid",
            f"sum.{n}",
        )
        expected = [
            sum(second % 7 + n + pod for second in range(60 * i, 60 * i + 60, 10) for pod in (1, 2))
            for i in range(intervals)
        ]
        assert rows == [(i + 1, float(value)) for i, value in enumerate(expected)]
