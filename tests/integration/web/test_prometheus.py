"""/metrics and /metrics/scores, as Prometheus reads them; alert rules and dashboards ask for what is there."""

import json
import re
import subprocess
from dataclasses import replace
from importlib import resources

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from htmengine import config
from htmengine.service import status_files
from htmengine.service.program import reports_folder
from htmengine.web import prometheus
from tests.integration.web.server import NOW, WebServer
from tests.servers import require

TEMPLATES = resources.files("htmengine.config.templates")
ALERTS = TEMPLATES.joinpath("prometheus-alerts.yml")
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def scraped(server, path="/metrics", status=200, **headers):
    answer = server.client.get(path, headers=headers)
    assert answer.status_code == status, answer.text
    if status != 200:
        return answer
    return {
        (sample.name, *sorted(sample.labels.items())): sample
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(found, name, **labels):
    return found[(f"htmengine_{name}", *sorted(labels.items()))].value


@pytest.fixture
def counting(server):
    """Give a server whose services have said what they counted."""
    reporter = status_files.Reporter(reports_folder(server.context.settings))
    counts = {
        "metric_listener": {
            "lines": 100,
            "samples_statsd": 30,
            "rejected": {"graphite-text: the value is not finite": {"count": 3, "examples": ["a nan 1"]}},
        },
        "metric_storer": {"rows_stored": 97},
        "model_scheduler": {"rows_scored": 90, "models_resident": 7, "checkpointed_at": 1},
        "anomaly_service": {"scores_stored": 90},
        "incidents": {"alarms": 4},
        "alerts": {"delivered": 5, "delivered_to_ops": 4, "dead_to_chat": 1},
    }
    services = {name: (lambda some=some: some) for name, some in counts.items()}
    reporter.start(list(counts), services, {"metric_storer": 2})
    reporter.write()
    yield server
    reporter.close()


def test_the_engine_tells_what_its_services_count(counting):
    counting.metric("web.requests", [5.0] * 3)
    with counting.client:
        found = scraped(counting)
    assert value(found, "samples_received_total", door="graphite-text") == 70
    assert value(found, "samples_received_total", door="statsd") == 30
    assert value(found, "samples_refused_total", door="graphite-text", reason="the value is not finite") == 3
    assert value(found, "samples_stored_total") == 97
    assert value(found, "rows_scored_total") == 90
    assert value(found, "alarms_total") == 4
    assert value(found, "models_resident") == 7
    assert value(found, "checkpoint_age_seconds") > 1e9
    assert value(found, "alert_deliveries_total", target="ops", result="delivered") == 4
    assert value(found, "alert_deliveries_total", target="chat", result="dead") == 1
    assert value(found, "service_up", service="incidents") == 1
    assert value(found, "service_restarts_total", service="metric_storer") == 2
    assert value(found, "last_sample_timestamp_seconds") == NOW - 30
    assert value(found, "metrics", status="active") == 1
    assert value(found, "dead_letters") == 0
    assert value(found, "disk_free_bytes") > 0


def test_requests_are_counted_by_their_route_and_not_by_what_stands_in_it(server):
    with server.client:
        server.get("/metrics/nobody", status=404)
        server.get("/metrics/nobody-else", status=404)
        found = scraped(server)
    labels = {"method": "GET", "route": "/api/v1/metrics/{uid}", "status": "404"}
    assert value(found, "http_requests_seconds_count", **labels) == 2
    assert value(found, "http_requests_seconds_bucket", le="+Inf", **labels) == 2
    assert not [key for key in found if "nobody" in str(key)]


def test_the_time_from_sample_to_score_is_a_histogram(server):
    server.site.watch.scored_live([0.05, 0.3, 0.3, 20.0, 500.0])
    with server.client:
        found = scraped(server)
    assert value(found, "score_latency_seconds_bucket", le="0.1") == 1
    assert value(found, "score_latency_seconds_bucket", le="0.5") == 3
    assert value(found, "score_latency_seconds_count") == 4


def test_openmetrics_is_given_to_those_that_ask_for_it(server):
    with server.client:
        answer = server.client.get("/metrics", headers={"accept": OPENMETRICS})
        plain = server.client.get("/metrics")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")
    assert plain.headers["content-type"].startswith("text/plain; version=")


def test_a_scrape_needs_a_token_where_others_do(context):
    server = WebServer(context, require_token=True)
    with server.client:
        assert scraped(server, status=401).json()["title"]
        assert scraped(server, "/metrics/scores", status=401).json()["title"]
    server.site.close()


@pytest.fixture
def scoring(context):
    settings = msgspec.structs.replace(context.settings, prometheus=config.Prometheus(scores=True))
    server = WebServer(replace(context, settings=settings))
    yield server
    server.site.close()


def test_scores_are_given_where_the_configuration_says_so(server):
    with server.client:
        answer = scraped(server, "/metrics/scores", status=404)
    assert "[prometheus] scores = true" in answer.json()["detail"]


def test_the_newest_score_of_a_metric_has_the_time_of_its_row(scoring):
    uid = scoring.metric('web."requests"\n', [5.0] * 3)
    idle = scoring.metric("web.idle", [5.0] * 3, last=NOW - 9000)
    with scoring.client:
        scoring.take(scoring.batch((uid, 'web."requests"\n', 4, NOW, 7.5, 0.75)))
        scoring.take(scoring.batch((idle, "web.idle", 4, NOW - 8000, 7.5, 0.75)))
        found = scraped(scoring, "/metrics/scores")
        other = scraped(scoring, "/metrics/scores?match=db.*")
    sample = found["htmengine_log_score", ("metric", 'web."requests"\n')]
    assert (sample.value, sample.timestamp) == (0.75, NOW)
    assert value(found, "value", metric='web."requests"\n') == 7.5
    assert value(found, "usual_low", metric='web."requests"\n') == 4
    assert not [key for key in found if "web.idle" in str(key)]
    assert other == {}


def test_too_many_metrics_are_refused_with_what_to_do(scoring, monkeypatch):
    monkeypatch.setattr(prometheus, "MAX_METRICS", 1)
    with scoring.client:
        for name in ("a", "b"):
            uid = scoring.metric(name, [5.0])
            scoring.take(scoring.batch((uid, name, 2, NOW, 7.5, 0.1)))
        answer = scraped(scoring, "/metrics/scores", status=400)
        assert "2 metrics fit *" in answer.json()["detail"]
        assert len(scraped(scoring, "/metrics/scores?match=a")) == 4
        assert "fits nothing" in scraped(scoring, "/metrics/scores?match=", status=400).json()["detail"]


# -- What is shipped


def names_in(text):
    return set(re.findall(r"\bhtmengine_[a-z_]+", text))


@pytest.fixture
def offered(counting):
    """Give the names that both addresses offer; of what was never counted, a comment tells."""
    settings = msgspec.structs.replace(counting.context.settings, prometheus=config.Prometheus(scores=True))
    server = WebServer(replace(counting.context, settings=settings))
    uid = server.metric("a", [5.0])
    with server.client:
        server.take(server.batch((uid, "a", 2, NOW, 7.5, 0.1)))
        scraped(server)
        texts = [server.client.get(path).text for path in ("/metrics", "/metrics/scores")]
    server.site.close()
    return names_in("".join(texts))


def test_alert_rules_are_right_and_ask_for_what_is_there(offered):
    path = require("prometheus", "/usr/bin/promtool")
    with resources.as_file(ALERTS) as file:
        done = subprocess.run([path, "check", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert names_in(ALERTS.read_text()) <= offered


@pytest.mark.parametrize("file", ["grafana-engine.json", "grafana-scores.json"])
def test_dashboards_ask_for_what_is_there(offered, file):
    dashboard = json.loads(TEMPLATES.joinpath(file).read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert names_in(" ".join(asked)) <= offered
    places = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)
