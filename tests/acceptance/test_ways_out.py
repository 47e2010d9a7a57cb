"""Other programs read what the engine knows."""

import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from benchmarks.running import free_port
from benchmarks.write_back import carbon_command, victoria_metrics_command
from htmengine.config import templates
from tests.acceptance.engine import wait_until
from tests.acceptance.test_agents import Engine, running
from tests.servers import require

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    app = tmp_path_factory.mktemp("ways") / "app"
    engine = Engine(app)
    settings = app / "conf" / "application.conf"
    settings.write_text(settings.read_text().replace("#scores = false", "scores = true"))
    with engine.up():
        yield engine


def test_prometheus_scrapes_the_engine_and_its_scores(folder, tmp_path):
    (tmp_path / "alerts.yml").write_text(templates.shipped("prometheus-alerts.yml"))
    config = tmp_path / "prometheus.yml"
    config.write_text(
        f"""
global: {{scrape_interval: 1s}}
rule_files: [alerts.yml]
scrape_configs:
  - job_name: htmengine
    static_configs: [{{targets: ["127.0.0.1:{folder.http_port}"]}}]
  - job_name: htmengine-scores
    metrics_path: /metrics/scores
    params: {{match: ["scraped.*"]}}
    static_configs: [{{targets: ["127.0.0.1:{folder.http_port}"]}}]
"""
    )
    listen = f"127.0.0.1:{free_port()}"

    def ask(query):
        try:
            with urllib.request.urlopen(
                f"http://{listen}/api/v1/query?query={urllib.parse.quote(query)}", timeout=10
            ) as answer:
                return json.load(answer)["data"]["result"]
        except OSError:
            return []

    with running(
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
        f"--web.listen-address={listen}",
        package="prometheus",
        log=tmp_path / "prometheus.log",
    ):
        stored = 'htmengine_samples_stored_total{job="htmengine"}'
        before = float(wait_until(lambda: ask(stored), "a scrape")[0]["value"][1])
        sent = 0

        def scored():
            nonlocal sent
            sent += 1
            folder.send([f"scraped.load {sent} {time.time():.0f}"])
            return ask('htmengine_log_score{metric="scraped.load"}')

        wait_until(scored, "a score in Prometheus")
        assert ask('htmengine_value{metric="scraped.load"}')
        wait_until(lambda: float(ask(stored)[0]["value"][1]) > before, "more samples")
        assert len(ask('htmengine_service_up{job="htmengine"} == 1')) >= 5
        assert ask("up == 0") == []
        with urllib.request.urlopen(f"http://{listen}/api/v1/rules", timeout=10) as answer:
            groups = json.load(answer)["data"]["groups"]
        names = [rule["name"] for group in groups for rule in group["rules"]]
        assert "HtmengineAnomaly" in names
        assert {rule["health"] for group in groups for rule in group["rules"]} <= {"ok", "unknown"}
    log = (tmp_path / "prometheus.log").read_text()
    assert not re.search(r"level=error|Error on ingesting|scrape_failed", log)


# -- Written back


def carbon(folder, port):
    command = carbon_command(folder, port)
    return running(*command, package="graphite-carbon", log=folder / "log")


def victoria_metrics(folder, port):
    folder.mkdir(exist_ok=True)
    command = victoria_metrics_command(folder, port)
    return running(*command, package="victoria-metrics", log=folder / "log")


def exported(port, selector):
    """Return the times and values that VictoriaMetrics has, by the labels of the series."""
    address = f"http://127.0.0.1:{port}/api/v1/export?match[]={urllib.parse.quote(selector)}"
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            series = [json.loads(line) for line in answer]
    except OSError:
        return {}
    return {
        (one["metric"]["__name__"], one["metric"]["metric"]): dict(
            zip((at // 1000 for at in one["timestamps"]), one["values"], strict=True)
        )
        for one in series
    }


def whisper(folder, name, since):
    """Return the times and values in one of carbon's files."""
    path = folder / "whisper" / Path(*name.split(".")).with_suffix(".wsp")
    program = require("graphite-carbon", "/usr/bin/whisper-fetch")
    done = subprocess.run([program, f"--from={since}", path], capture_output=True, text=True, check=False)
    pairs = (line.split() for line in done.stdout.splitlines())
    return {int(at): float(value) for at, value in pairs if value != "None"}


@pytest.mark.slow
def test_scores_are_written_back_to_carbon_and_victoriametrics(tmp_path):
    carbon_port, metrics_port = free_port(), free_port()
    engine = Engine(tmp_path / "app")
    settings = tmp_path / "app" / "conf" / "application.conf"
    text = settings.read_text()
    for option, value in {
        "graphite": f"127.0.0.1:{carbon_port}",
        "remote_write": f"http://127.0.0.1:{metrics_port}/api/v1/write",
        "influx": f"http://127.0.0.1:{metrics_port}/write?db=x",
        "interval": "0.2",
    }.items():
        text = re.sub(rf"^#{option} = .*$", f"{option} = {value}", text, count=1, flags=re.MULTILINE)
    settings.write_text(text)
    begin = int(time.time()) // 60 * 60 - 3600
    names = [f"back.m{i}" for i in range(5)]

    def lines(first, last):
        return [f"{name} {i % 7} {begin + 60 * i}" for i in range(first, last) for name in names]

    def stored():
        query = (
            "SELECT m.name, strftime('%s', d.timestamp), d.log_score FROM metric_data d JOIN metric m USING (uid)"
            " WHERE m.name LIKE 'back.%' AND d.log_score IS NOT NULL"
        )
        found = {}
        for name, at, score in engine.select(query):
            found.setdefault(name, {})[int(at)] = score
        return found

    def same(found, expected):
        return all(
            set(found.get(name, ())) == set(rows)
            and all(abs(found[name][at] - score) < 1e-6 for at, score in rows.items())
            for name, rows in expected.items()
        )

    def by_remote_write():
        found = exported(metrics_port, '{__name__="htm_log_score"}')
        return {metric: points for (_, metric), points in found.items()}

    def in_carbon():
        return {name: whisper(tmp_path / "carbon", f"htm.log_score.{name}", begin - 60) for name in names}

    with engine.up() as process:
        engine.send(lines(0, 20))  # while no receiver is there
        for name in names:
            engine.wait_for_scores(name, 20)
        with victoria_metrics(tmp_path / "vm", metrics_port), carbon(tmp_path / "carbon", carbon_port):
            engine.send(lines(20, 30))
            for name in names:
                engine.wait_for_scores(name, 30)
            wait_until(lambda: same(by_remote_write(), stored()), lambda: f"all scores: {by_remote_write()}")
        engine.send(lines(30, 40))  # while they are away again
        for name in names:
            engine.wait_for_scores(name, 40)
        process.kill()
        process.wait()
    with (
        engine.up(),
        victoria_metrics(tmp_path / "vm", metrics_port),
        carbon(tmp_path / "carbon", carbon_port),
    ):
        engine.send(lines(40, 50))
        for name in names:
            engine.wait_for_scores(name, 50)
        expected = stored()
        assert all(len(rows) == 50 for rows in expected.values())
        wait_until(lambda: same(by_remote_write(), expected), lambda: f"all scores: {by_remote_write()}")
        wait_until(lambda: same(in_carbon(), expected), lambda: f"all scores in carbon: {in_carbon()}")
        assert len(exported(metrics_port, '{__name__=~"htm_alarm|htm_usual_low"}')) >= len(names)
        engine.settles()
