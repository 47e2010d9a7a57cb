"""Real agents and clients send to a real engine, by the lines of docs/howto/agents.md; what they sent is stored."""

import http.server
import os
import pickle
import socket
import struct
import subprocess
import sys
import threading
import time
from functools import partial

import psutil
import pytest

from benchmarks.running import free_port
from tests.acceptance.engine import Folder, wait_until
from tests.support.agents import answers, client, lines_to_paste, of_npm, running

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
    scraped = f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: agent
    static_configs: [{{targets: ["127.0.0.1:{target.server_port}"]}}]
"""
    pasted = lines_to_paste("Prometheus", {"127.0.0.1:2080": f"127.0.0.1:{folder.http_port}"})
    config.write_text(scraped + pasted + "    queue_config: {batch_send_deadline: 1s}\n")
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
    config.write_text(lines_to_paste("carbon-c-relay", {"127.0.0.1:2003": f"127.0.0.1:{folder.port}"}))
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
    measured = f'Hostname "collected.example"\nInterval 1\nBaseDir "{tmp_path}"\nLoadPlugin load\n'
    config.write_text(measured + lines_to_paste("collectd", {'Port "2003"': f'Port "{folder.port}"'}))
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


CARBON = """
STORAGE_DIR = {folder}/
CONF_DIR = {folder}/
LOG_DIR = {folder}/
PID_DIR = {folder}/
LOCAL_DATA_DIR = {folder}/whisper/
USER =
CACHE_QUERY_PORT = {query}
"""


def test_carbons_relay_sends_pickles_to_its_cache_and_to_the_engine(folder, tmp_path):
    line, unused, cache, cache_line, query = (free_port() for _ in range(5))
    places = {
        "127.0.0.1:2004": f"127.0.0.1:{cache}",
        "htmengine.example.com:2004": f"127.0.0.1:{folder.pickle_port}",
    }
    heading = "Graphite's own daemons: graphite-carbon"
    relay = lines_to_paste(heading, {"2013": line, "2014": unused, **places})
    common = CARBON.format(folder=tmp_path, query=query)
    own = f"[cache]\nLINE_RECEIVER_PORT = {cache_line}\nPICKLE_RECEIVER_PORT = {cache}\n"
    (tmp_path / "carbon.conf").write_text(own + common + relay + common)
    (tmp_path / "relay-rules.conf").write_text(lines_to_paste(heading, places, 1))
    (tmp_path / "storage-schemas.conf").write_text("[all]\npattern = .*\nretentions = 60s:1d\n")

    def carbon(program):
        where = (
            f"--config={tmp_path / 'carbon.conf'}",
            f"--pidfile={tmp_path / program}",
            f"--logdir={tmp_path}",
        )
        command = (program, "--nodaemon", *where, "start")
        return running(*command, package="graphite-carbon", log=tmp_path / f"{program}.log")

    with carbon("carbon-cache"), carbon("carbon-relay"):
        wait_until(lambda: answers(line) and answers(cache), "carbon's daemons")
        now = int(time.time())
        with socket.create_connection(("127.0.0.1", line)) as peer:
            peer.sendall(f"carbon.load;host=a 1.5 {now - 60}\ncarbon.plain 2.5 {now}\n".encode())
        wait_until(lambda: values(folder, "carbon.load;host=a"), "the tagged point")
        wait_until(lambda: values(folder, "carbon.plain"), "the point")
        wait_until((tmp_path / "whisper" / "carbon" / "plain.wsp").exists, "the cache's file")
    assert [value for _, value in values(folder, "carbon.load;host=a")] == [1.5]


def test_npms_statsd_sends_what_it_gathers_as_lines(folder, tmp_path):
    server, port = of_npm("statsd") / "stats.js", free_port()
    config = tmp_path / "config.js"
    pasted = lines_to_paste(
        "StatsD's own server, before the engine",
        {
            "8125": port,
            "2003": folder.port,
            "{\n  port": "{\n  flushInterval: 1000,\n  mgmt_port: 0,\n  port",
        },
    )
    config.write_text(pasted)
    log = tmp_path / "statsd.log"
    with running("node", server, config, package="nodejs", log=log):
        # It says that it is up before it listens.
        listening = partial(psutil.net_connections, "udp")
        wait_until(lambda: any(one.laddr.port == port for one in listening()), "the server")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            for line in (b"hits:6|c", b"level:7|g", *(b"took:%d|ms" % n for n in range(1, 11))):
                peer.sendto(line, ("127.0.0.1", port))
        wait_until(lambda: 6.0 in dict_values(folder, "stats.counters.hits.rate"), "the rate of the counter")
        wait_until(lambda: 9.0 in dict_values(folder, "stats.timers.took.upper_90"), "the percentile")
        wait_until(lambda: 7.0 in dict_values(folder, "stats.gauges.level"), "the gauge")


def dict_values(folder, name):
    return {value for _, value in values(folder, name)}


STATSD_CLIENTS = "StatsD and Datadog clients"


@pytest.mark.parametrize(
    ("number", "package", "name", "value"),
    [(1, "statsd", "web.queue", 7.0), (2, "datadog", "web.queue;env=prod", 8.0)],
)
def test_clients_of_statsd_are_gathered_by_the_second(folder, number, package, name, value):
    client(package)
    run(lines_to_paste(STATSD_CLIENTS, {"8125": folder.statsd_port}, number))
    wait_until(lambda: len(values(folder, name)) >= 3, "three intervals")
    assert dict_values(folder, name) == {value}


def test_hot_shots_is_gathered_by_the_second(folder):
    modules = of_npm("hot-shots").parent
    script = lines_to_paste(STATSD_CLIENTS, {"8125": folder.statsd_port}, 3)
    subprocess.run(["node", "-e", script], check=True, env=os.environ | {"NODE_PATH": str(modules)})
    wait_until(lambda: len(values(folder, "web.queue;env=test")) >= 3, "three intervals")
    assert dict_values(folder, "web.queue;env=test") == {9.0}


def run(script):
    """Run lines of Python as a program of their own."""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_graphyte_sends_tags(folder):
    client("graphyte")
    run(lines_to_paste("graphyte", {"2003": folder.port}))
    wait_until(lambda: dict_values(folder, "web.requests;dc=fra1") == {118.5}, "the sample")


@pytest.mark.parametrize(("number", "package", "host"), [(0, "influxdb", "a"), (1, "influxdb_client", "b")])
def test_the_lines_for_influxdbs_clients_write(folder, number, package, host):
    client(package, package.replace("_", "-"))
    run(lines_to_paste("InfluxDB's clients", {"2080": folder.http_port}, number))
    wait_until(lambda: dict_values(folder, f"web.requests;host={host}") == {118.5}, "the sample")


def test_the_client_of_influxdb_1_writes(folder):
    influxdb = client("influxdb")
    writer = influxdb.InfluxDBClient("127.0.0.1", folder.http_port, database="any")
    writer.create_database("any")
    assert writer.ping()
    point = {
        "measurement": "influx1",
        "tags": {"host": "a"},
        "fields": {"value": 1.5, "note": "text"},
        "time": 1_700_000_000,
    }
    assert writer.write_points([point], time_precision="s")
    with pytest.raises(influxdb.exceptions.InfluxDBClientError, match="partial write"):
        writer.write(["influx1 value=x"], {"db": "any"}, protocol="line", expected_response_code=204)
    writer.close()
    wait_until(lambda: values(folder, "influx1;host=a"), "the sample")


def test_the_client_of_influxdb_2_writes(folder):
    influxdb = client("influxdb_client", "influxdb-client")
    options = influxdb.client.write_api.SYNCHRONOUS
    with influxdb.InfluxDBClient(
        f"http://127.0.0.1:{folder.http_port}", token="any", org="any", enable_gzip=True
    ) as writer:
        point = influxdb.Point("influx2").tag("host", "a b").field("usage", 1.5).time(1_700_000_000, "s")
        with writer.write_api(write_options=options) as api:
            api.write("any", record=point, write_precision="s")
    wait_until(lambda: values(folder, "influx2.usage;host=a_b"), "the sample")


OTLP_PROGRAM = """
import time
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

provider = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=3_600_000)])
meter = provider.get_meter("agents")
counter = meter.create_counter("otel.hits")
counter.add(1)
meter.create_up_down_counter("otel.level").add(7)
assert provider.force_flush()
time.sleep(2.1)
counter.add(100)
provider.shutdown()
"""
"""The SDK takes everything else from its environment."""


def test_the_sdk_of_opentelemetry_exports(folder):
    client("opentelemetry.exporter.otlp.proto.http", "opentelemetry-exporter-otlp-proto-http")
    pasted = lines_to_paste("OpenTelemetry", {"2080": folder.http_port})
    environment = dict(line.removeprefix("export ").split("=", 1) for line in pasted.splitlines())
    assert all(name.startswith("OTEL_") for name in environment)
    subprocess.run([sys.executable, "-c", OTLP_PROGRAM], check=True, env=os.environ | environment)
    rate = wait_until(lambda: values(folder, "otel.hits;%"), "a rate of the counter")[0][1]
    assert 1 < rate <= 50
    assert values(folder, "otel.level;%")[0][1] == 7
