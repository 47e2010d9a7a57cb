"""Other programs read what the engine knows."""

import json
import re
import time
import urllib.parse
import urllib.request

import pytest

from benchmarks.running import free_port
from htmengine.config import templates
from tests.acceptance.engine import wait_until
from tests.acceptance.test_agents import Engine, running

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
