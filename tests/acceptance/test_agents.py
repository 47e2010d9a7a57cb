"""Real agents and clients send to a real engine; what they sent is stored."""

import http.server
import pickle
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from benchmarks.running import free_port
from tests.acceptance.engine import Folder, wait_until
from tests.support.agents import answers, running

pytestmark = pytest.mark.acceptance


class Engine(Folder):
    """An engine with every port."""

    def __init__(self, app):
        subprocess.run([sys.executable, "-m", "htmengine.cli", "init", app], check=True)
        super().__init__(app / "data", config=app / "conf")
        self.pickle_port, self.statsd_port = free_port(), free_port()
        settings = app / "conf" / "application.conf"
        text = settings.read_text().replace("#pickle_port = 0", f"pickle_port = {self.pickle_port}")
        head, section, rest = text.partition("\n[statsd]\n")
        rest = rest.replace("#port = 0", f"port = {self.statsd_port}", 1).replace(
            "#flush = 60", "flush = 1", 1
        )
        settings.write_text(head + section + rest)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    engine = Engine(tmp_path_factory.mktemp("agents") / "app")
    with engine.up():
        wait_until(lambda: answers(engine.http_port), "the web server")
        yield engine


def values(folder, name):
    """Return times and values of a metric's rows; the name may be a pattern of LIKE."""
    return folder.select(
        "SELECT d.timestamp, d.metric_value FROM metric_data d JOIN metric m USING (uid) WHERE m.name LIKE ? ORDER BY d.rowid",
        name,
    )


class Target(http.server.BaseHTTPRequestHandler):
    """What Prometheus scrapes: a counter that grows by 10 every second, and a gauge."""

    def do_GET(self):
        body = f"# TYPE agent_hits_total counter\nagent_hits_total {int(time.time() * 10)}\nagent_level 7\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def test_prometheus_writes_gauges_and_rates_of_counters(folder, tmp_path):
    target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
    threading.Thread(target=target.serve_forever, daemon=True).start()
    config = tmp_path / "prometheus.yml"
    config.write_text(
        f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: agent
    static_configs: [{{targets: ["127.0.0.1:{target.server_port}"]}}]
remote_write:
  - url: http://127.0.0.1:{folder.http_port}/api/v1/write
    queue_config: {{batch_send_deadline: 1s}}
"""
    )
    listen = f"127.0.0.1:{free_port()}"
    with running(
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
        f"--web.listen-address={listen}",
        package="prometheus",
        log=tmp_path / "prometheus.log",
    ):
        wait_until(lambda: len(values(folder, "agent_hits_total;%")) >= 5, "five rates of the counter")
        wait_until(lambda: values(folder, "agent_level;%"), "the gauge")
        wait_until(lambda: values(folder, "up;instance=%;job=agent"), "up")
    target.shutdown()
    target.server_close()
    assert all(8 <= rate <= 12 for _, rate in values(folder, "agent_hits_total;%"))
    assert {value for _, value in values(folder, "agent_level;%")} == {7.0}


def test_carbon_c_relay_forwards_lines(folder, tmp_path):
    port = free_port()
    config = tmp_path / "relay.conf"
    config.write_text(f"cluster engine forward 127.0.0.1:{folder.port};\nmatch * send to engine stop;\n")
    with running(
        "carbon-c-relay", "-f", config, "-p", port, package="carbon-c-relay", log=tmp_path / "relay.log"
    ):
        wait_until(lambda: answers(port), "the relay")
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.sendall(
                b"relayed.load;host=b;dc=a 1.5 1700000000\nrelayed.load;host=b;dc=a 2.5 1700000060\n"
            )
        wait_until(lambda: len(values(folder, "relayed.load;dc=a;host=b")) == 2, "both lines")


def test_collectd_writes_graphite(folder, tmp_path):
    config = tmp_path / "collectd.conf"
    config.write_text(
        f"""
Hostname "collected.example"
Interval 1
BaseDir "{tmp_path}"
LoadPlugin load
LoadPlugin write_graphite
<Plugin write_graphite>
  <Node "engine">
    Host "127.0.0.1"
    Port "{folder.port}"
    Protocol "tcp"
  </Node>
</Plugin>
"""
    )
    with running(
        "collectd",
        "-f",
        "-C",
        config,
        "-P",
        tmp_path / "collectd.pid",
        package="collectd-core",
        log=tmp_path / "collectd.log",
    ):
        wait_until(
            lambda: len(values(folder, "collected_example.load.load.shortterm")) >= 2,
            "two samples of the load",
        )


def test_pickles_of_carbons_relays_are_stored(folder):
    points = [
        (f"pickled.load;n={n}", (1_700_000_000 + 60 * i, n + i / 2)) for i in range(3) for n in range(100)
    ]
    frame = pickle.dumps(points, 2)
    with socket.create_connection(("127.0.0.1", folder.pickle_port)) as peer:
        peer.sendall(struct.pack(">I", len(frame)) + frame)
    wait_until(lambda: len(values(folder, "pickled.load;n=%")) == 300, "all points")
    assert [value for _, value in values(folder, "pickled.load;n=7")] == [7.0, 7.5, 8.0]


def test_the_client_of_statsd_is_gathered_by_the_second(folder):
    statsd = pytest.importorskip("statsd", reason="no statsd")
    client = statsd.StatsClient("127.0.0.1", folder.statsd_port)
    client.gauge("statsd.level", 7)
    wait_until(lambda: len(values(folder, "statsd.level")) >= 3, "three intervals")
    client.close()
    assert {value for _, value in values(folder, "statsd.level")} == {7.0}


def test_graphyte_sends_tags(folder):
    graphyte = pytest.importorskip("graphyte", reason="no graphyte")
    sender = graphyte.Sender("127.0.0.1", port=folder.port, interval=None)
    sender.send("graphyte.load", 42.5, timestamp=1_700_000_000, tags={"env": "x_y"})
    sender.stop()
    assert wait_until(lambda: values(folder, "graphyte.load;env=x_y"), "the sample") == [
        ("2023-11-14 22:13:20.000000", 42.5)
    ]


def test_the_client_of_influxdb_1_writes(folder):
    influxdb = pytest.importorskip("influxdb", reason="no influxdb")
    client = influxdb.InfluxDBClient("127.0.0.1", folder.http_port, database="any")
    client.create_database("any")
    assert client.ping()
    point = {
        "measurement": "influx1",
        "tags": {"host": "a"},
        "fields": {"value": 1.5, "note": "text"},
        "time": 1_700_000_000,
    }
    assert client.write_points([point], time_precision="s")
    with pytest.raises(influxdb.exceptions.InfluxDBClientError, match="partial write"):
        client.write(["influx1 value=x"], {"db": "any"}, protocol="line", expected_response_code=204)
    client.close()
    wait_until(lambda: values(folder, "influx1;host=a"), "the sample")


def test_the_client_of_influxdb_2_writes(folder):
    influxdb = pytest.importorskip("influxdb_client", reason="no influxdb-client")
    options = influxdb.client.write_api.SYNCHRONOUS
    with influxdb.InfluxDBClient(
        f"http://127.0.0.1:{folder.http_port}", token="any", org="any", enable_gzip=True
    ) as client:
        point = influxdb.Point("influx2").tag("host", "a b").field("usage", 1.5).time(1_700_000_000, "s")
        with client.write_api(write_options=options) as api:
            api.write("any", record=point, write_precision="s")
    wait_until(lambda: values(folder, "influx2.usage;host=a_b"), "the sample")


def test_the_sdk_of_opentelemetry_exports(folder):
    metrics = pytest.importorskip("opentelemetry.sdk.metrics", reason="no opentelemetry-sdk")
    export = pytest.importorskip("opentelemetry.sdk.metrics.export")
    http_exporter = pytest.importorskip("opentelemetry.exporter.otlp.proto.http.metric_exporter")
    exporter = http_exporter.OTLPMetricExporter(endpoint=f"http://127.0.0.1:{folder.http_port}/v1/metrics")
    reader = export.PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    provider = metrics.MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    meter = provider.get_meter("agents")
    counter = meter.create_counter("otel.hits")
    level = meter.create_up_down_counter("otel.level")
    counter.add(1)
    level.add(7)
    assert provider.force_flush()
    time.sleep(2.1)
    counter.add(100)
    assert provider.force_flush()
    rate = wait_until(lambda: values(folder, "otel.hits;%"), "a rate of the counter")[0][1]
    provider.shutdown()
    assert 1 < rate <= 50
    assert values(folder, "otel.level;%")[0][1] == 7
