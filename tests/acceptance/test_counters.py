"""Running totals through a real engine that is killed: each rate is stored once, and is that of an undisturbed run."""

import signal
import urllib.error
import urllib.request

import cramjam
import pytest

from tests.acceptance.engine import Folder, wait_until
from tests.unit.doors.prometheus import sample, series_v1

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

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


def post(folder, body):
    """Send a request; return whether it was taken."""
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
    address = f"http://127.0.0.1:{folder.http_port}/api/v1/write"
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
