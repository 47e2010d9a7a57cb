"""Histories from real servers, through a real engine."""

import json
import subprocess
import urllib.parse
import urllib.request
from datetime import UTC, datetime

import cramjam
import pytest

from benchmarks.running import free_port
from tests.acceptance.engine import Folder, wait_until
from tests.acceptance.test_agents import running
from tests.servers import require
from tests.unit.doors.prometheus import sample, series_v1

pytestmark = pytest.mark.acceptance

START = 1_700_000_000
STEP_S = 15
COUNT = 12_000
"""Fifty hours."""
END = START + STEP_S * (COUNT - 1)
RESET_AT = 5_000


def total(i):
    """Return a counter's value: it grows by 30 each step, 2 a second, and began again once."""
    return 30.0 * (i - RESET_AT if i >= RESET_AT else i)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = Folder(tmp_path_factory.mktemp("backfill") / "data")
    with folder.up():
        yield folder


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status < 300
    except OSError:
        return False


def rows(folder, name):
    """Return times and values of a metric's rows."""
    return folder.select(
        "SELECT CAST(strftime('%s', d.timestamp) AS INTEGER), d.metric_value FROM metric_data d JOIN metric m USING (uid) WHERE m.name = ? ORDER BY d.rowid",
        name,
    )


def expected_rates(until=END):
    """Return the rates of the counter; none of its first value, nor where it began again."""
    return [
        (START + STEP_S * i, 2.0) for i in range(1, COUNT) if i != RESET_AT and START + STEP_S * i <= until
    ]


def expected_levels():
    return [(START + STEP_S * i, float(i % 7)) for i in range(COUNT)]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """A Prometheus server with a gauge and a counter over fifty hours."""
    folder = tmp_path_factory.mktemp("prometheus")
    promtool = require("prometheus", "/usr/bin/promtool")
    lines = ["# TYPE jobs_total counter"]
    lines += [f'jobs_total{{dc="a b"}} {total(i)} {START + STEP_S * i}' for i in range(COUNT)]
    lines += ["# TYPE level gauge"]
    lines += [f"level {i % 7} {START + STEP_S * i}" for i in range(COUNT)]
    text = folder / "history.txt"
    text.write_text("\n".join([*lines, "# EOF", ""]))
    subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "openmetrics", text, folder / "tsdb"],
        check=True,
        capture_output=True,
    )
    config = folder / "prometheus.yml"
    config.write_text("global: {scrape_interval: 15s}\n")
    address = f"127.0.0.1:{free_port()}"
    with running(
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={address}",
        package="prometheus",
        log=folder / "prometheus.log",
    ):
        wait_until(lambda: answers(f"http://{address}/-/ready"), "Prometheus")
        yield f"http://{address}"


@pytest.mark.slow
def test_a_history_of_prometheus_goes_in_as_it_was_scraped_and_what_follows_live_goes_on(folder, prometheus):
    name = "jobs_total;dc=a_b"
    half = START + STEP_S * 7000
    common = ("backfill", "prometheus", prometheus, "--since", "2023-11-01", "--wait")
    listed = folder.json(*common[:5], "--until", "2023-12-01", "--dry-run")
    assert listed == {"metrics": 2, "names": [name, "level"]}
    first = folder.json(*common, "--until", datetime.fromtimestamp(half, UTC).isoformat())
    assert rows(folder, name) == expected_rates(half)
    rest = folder.json(*common, "--until", "2023-12-01")
    assert "had rows already" in folder.advice
    assert first["metrics"] == rest["metrics"] == 2
    assert rows(folder, name) == expected_rates()
    assert rows(folder, "level") == expected_levels()
    # The next value of the counter, live.
    labels = {"__name__": "jobs_total", "dc": "a b"}
    body = series_v1(labels, [sample(total(COUNT), (END + STEP_S) * 1000)])
    request = urllib.request.Request(
        f"http://127.0.0.1:{folder.http_port}/api/v1/write",
        bytes(cramjam.snappy.compress_raw(body)),
        {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"},
    )
    urllib.request.urlopen(request, timeout=60).close()
    wait_until(lambda: len(rows(folder, name)) > len(expected_rates()), "the live rate")
    assert rows(folder, name)[-1] == (END + STEP_S, 2.0)


def test_a_history_of_victoriametrics_goes_in(folder, tmp_path):
    address = f"127.0.0.1:{free_port()}"
    with running(
        "victoria-metrics",
        f"-storageDataPath={tmp_path / 'vm'}",
        f"-httpListenAddr={address}",
        "-retentionPeriod=100y",
        package="victoria-metrics",
        log=tmp_path / "vm.log",
    ):
        wait_until(lambda: answers(f"http://{address}/health"), "VictoriaMetrics")
        times = [1000 * (START + STEP_S * i) for i in range(COUNT)]
        series = [
            {
                "metric": {"__name__": "vm_level", "host": 'a"b'},
                "values": [i % 7 for i in range(COUNT)],
                "timestamps": times,
            },
            {
                "metric": {"__name__": "vm_jobs_total"},
                "values": [total(i) for i in range(COUNT)],
                "timestamps": times,
            },
            {"metric": {"__name__": "other"}, "values": [1], "timestamps": times[:1]},
        ]
        body = "\n".join(map(json.dumps, series)).encode()
        urllib.request.urlopen(f"http://{address}/api/v1/import", body, timeout=60).close()
        urllib.request.urlopen(f"http://{address}/internal/force_flush", timeout=60).close()
        sent = folder.json(
            *("backfill", "victoriametrics", f"http://{address}", "--match", '{__name__=~"vm_.*"}'),
            *("--since", "2023-11-01", "--until", "2023-12-01", "--wait"),
        )
    assert sent["metrics"] == 2
    assert rows(folder, 'vm_level;host=a"b') == expected_levels()
    assert rows(folder, "vm_jobs_total") == expected_rates()
    assert not rows(folder, "other")


@pytest.mark.slow
def test_a_history_of_influxdb_goes_in(folder, tmp_path):
    config = tmp_path / "influxdb.conf"
    port = free_port()
    config.write_text(
        f"""
reporting-disabled = true
bind-address = "127.0.0.1:{free_port()}"
[meta]
dir = "{tmp_path}/meta"
[data]
dir = "{tmp_path}/data"
wal-dir = "{tmp_path}/wal"
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
"""
    )
    url = f"http://127.0.0.1:{port}"
    with running("influxd", "-config", config, package="influxdb", log=tmp_path / "influxdb.log"):
        wait_until(lambda: answers(f"{url}/ping"), "InfluxDB")
        query = urllib.parse.urlencode({"q": "CREATE DATABASE telegraf"}).encode()
        urllib.request.urlopen(f"{url}/query", query, timeout=60).close()
        lines = [
            f'cpu,host=a\\ b,core=0 idle={i % 7},text="x",on={"true" if i % 2 else "false"} {START + STEP_S * i}'
            for i in range(COUNT)
        ]
        lines += [f"cpu,host=c value=1i {START}", f"mem used=5 {START}"]
        for some in _batched(lines, 5000):
            body = "\n".join(some).encode()
            urllib.request.urlopen(f"{url}/write?db=telegraf&precision=s", body, timeout=60).close()
        sent = folder.json(
            *("backfill", "influxdb", url, "--database", "telegraf", "--match", "cp*", "--prefix", "old."),
            *("--since", "2023-11-01", "--until", "2023-12-01", "--wait"),
        )
        nothing = folder.json("backfill", "influxdb", url, "--database", "none", code=1)
        advice = folder.advice
    assert rows(folder, "old.cpu.idle;core=0;host=a_b") == expected_levels()
    assert rows(folder, "old.cpu.on;core=0;host=a_b")[:3] == [
        (START, 0.0),
        (START + 15, 1.0),
        (START + 30, 0.0),
    ]
    assert rows(folder, "old.cpu;host=c") == [(START, 1.0)]
    assert not rows(folder, "old.mem.used")
    assert sent["samples"] == 2 * COUNT + 1
    assert (nothing["metrics"], "No series was found" in advice) == (0, True)


def _batched(items, size):
    return [items[first : first + size] for first in range(0, len(items), size)]


def test_a_folder_of_files_goes_in_and_one_that_cannot_be_read_costs_no_other(folder, tmp_path):
    files = tmp_path / "files" / "web"
    files.mkdir(parents=True)
    (files / "requests.csv").write_text(
        "time,value\n" + "".join(f"{START + 60 * i},{i % 5}\n" for i in range(100))
    )
    (files / "wide.csv").write_text(
        "time,reads,writes\n" + "".join(f"{START + 60 * i},{i % 5},{i % 3}\n" for i in range(100))
    )
    (files / "noise.csv").write_text("no series here\n")
    sent = folder.json("backfill", "files", tmp_path / "files", "--all", "--prefix", "lab.", "--wait", code=1)
    assert (sent["metrics"], sent["samples"]) == (3, 300)
    assert [name.rsplit("/", 1)[-1] for name in sent["failed"]] == ["noise.csv"]
    assert [value for _, value in rows(folder, "lab.web.wide.writes")] == [float(i % 3) for i in range(100)]
    assert len(rows(folder, "lab.web.requests")) == 100


@pytest.mark.slow
def test_a_history_goes_in_from_the_graphite_api_of_another_engine(folder, tmp_path):
    sender = Folder(tmp_path / "other")
    levels = [float(i % 7) for i in range(3000)]
    with sender.up():
        sender.send([f"lab.level {value} {START + 40 + 60 * i}" for i, value in enumerate(levels)])
        sender.wait_for_rows("lab.level", len(levels))
        wait_until(lambda: answers(f"http://127.0.0.1:{sender.http_port}/readyz"), "the other engine")
        folder.json(
            *("backfill", "graphite", f"http://127.0.0.1:{sender.http_port}", "--match", "lab.*"),
            *("--since", "2023-11-01", "--until", "2023-12-01", "--prefix", "copy.", "--wait"),
        )
    assert rows(folder, "copy.lab.level") == [(START + 40 + 60 * i, value) for i, value in enumerate(levels)]


def test_a_server_that_is_away_is_said_so(folder):
    said = folder.fails("backfill", "graphite", "http://127.0.0.1:1/graphite", "--match", "a.*")
    assert "127.0.0.1:1/graphite/metrics/expand" in said
