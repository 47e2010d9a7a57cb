"""Grafana's data source for Graphite: its requests, as they are sent, and what it reads in the answers."""

import base64
import uuid
from urllib.parse import quote, urlencode

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import update

from htmengine.graphite.evaluation import Limits
from htmengine.repository import schema, tokens
from htmengine.repository.times import from_epoch
from htmengine.web import graphite, graphite_source
from tests.integration.web.server import NOW, WebServer
from tests.support.examples import examples

UNTIL = int(NOW) // 60 * 60
GRAFANA = {"X-Grafana-Org-Id": "1", "X-Dashboard-Id": "7", "X-Panel-Id": "2", "User-Agent": "Grafana/12.3.0"}
FORM = {"Content-Type": "application/x-www-form-urlencoded", **GRAFANA}


@pytest.fixture(scope="module")
def fleet(shared_server):
    """Give a server with metrics whose rows come each minute, the last of them at UNTIL."""
    server = shared_server
    values = [float(i) for i in range(120)]
    scores = [0.1] * 119 + [0.75]
    server.metric("web.a.requests", values, log_scores=scores, last=UNTIL)
    server.metric("web.b.requests", [2 * value for value in values], last=UNTIL)
    server.metric("web.a.errors", [1.0] * 120, last=UNTIL)
    server.metric("cpu;dc=x;host=web1", [5.0] * 120, last=UNTIL)
    server.metric("cpu;dc=y;host=db1", [6.0] * 120, last=UNTIL)
    with server.client:
        yield server


def render(server, *targets, status=200, headers=FORM, **fields):
    """Ask as Grafana's panels do, by a form."""
    form = {"from": UNTIL - 600, "until": UNTIL, "format": "json", "maxDataPoints": 1000, **fields}
    body = urlencode([*(("target", target) for target in targets), *form.items()])
    answer = server.client.post("/render", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.headers["content-type"].startswith("text/plain")
        return answer.text
    return answer.json() if form["format"] == "json" else answer.text


def numbers(series):
    return [number for number, _ in series["datapoints"]]


# -- What Grafana sends


def test_the_button_that_tests_the_data_source(fleet):
    (line,) = render(fleet, "constantLine(100)")
    assert line["target"] == "100"
    assert set(numbers(line)) == {100}
    (line,) = render(fleet, r'aliasSub(constantLine(100), "(^.*$)", "\1 A")')
    assert line["target"] == "100 A"


def test_panels_of_the_front_end_find_their_queries_by_the_last_word(fleet):
    found = render(
        fleet,
        r'aliasSub(aliasByNode(web.*.requests, 1), "(^.*$)", "\1 A")',
        r'aliasSub(sumSeries(web.*.requests), "(^.*$)", "\1 B")',
        **{"from": "-10min", "until": "now"},
    )
    assert [one["target"] for one in found] == ["a A", "b A", "sumSeries(web.*.requests) B"]
    sums = {at: number for number, at in found[2]["datapoints"]}
    assert sums[UNTIL] == 3 * 119


def test_alert_rules_of_the_back_end_get_numbers_and_times(fleet):
    (found,) = render(fleet, "movingMax(web.a.requests, '5min')")
    assert all(isinstance(at, int) for _, at in found["datapoints"])
    assert numbers(found)[-1] == 119
    assert found["tags"]["name"] == "web.a.requests"


def test_the_query_editor_walks_down_the_names(fleet):
    def find(query):
        answer = fleet.client.post(
            f"/metrics/find?from={UNTIL - 600}&until={UNTIL}", content=f"query={query}", headers=FORM
        )
        assert answer.status_code == 200, answer.text
        return [(one["text"], one["expandable"]) for one in answer.json()]

    assert find("*") == [("_htm", 1), ("web", 1)]
    assert find("web.*") == [("a", 1), ("b", 1)]
    assert find("web.a.*") == [("errors", 0), ("requests", 0)]
    assert find("web.{a,b}.req*") == [("requests", 0)]
    assert find("*e*") == [("web", 1)]
    assert find("_htm.*") == [("high", 1), ("log", 1), ("low", 1), ("score", 1)]
    assert find("_htm.log.web.*.errors") == [("errors", 0)]


def test_variables(fleet):
    answer = fleet.client.get("/metrics/expand", params={"query": "web.*.requests"}, headers=GRAFANA)
    assert answer.json() == {"results": ["web.a.requests", "web.b.requests"]}
    tags = fleet.client.get("/tags/autoComplete/tags", params={"expr": ["name=cpu"], "tagPrefix": "h"})
    assert tags.json() == ["host"]
    assert fleet.client.get("/tags/autoComplete/tags", params={"expr": "nothing=at-all"}).json() == []
    values = fleet.client.get(
        "/tags/autoComplete/values", params={"expr": ["name=cpu", "dc!=x"], "tag": "host", "valuePrefix": ""}
    )
    assert values.json() == ["db1"]


def test_a_field_without_a_value_is_as_one_that_is_not_there(fleet):
    for path, what in (("tags", "expr=&tagPrefix=&limit="), ("values", "expr=&tag=dc&valuePrefix=&limit=")):
        empty = fleet.client.get(f"/tags/autoComplete/{path}?{what}")
        assert empty.status_code == 200, empty.text
        assert empty.json() == fleet.client.get(f"/tags/autoComplete/{path}", params={"tag": "dc"}).json()
    answer = fleet.client.post(
        "/render", content="target=constantLine(1)&format=&from=&until=&maxDataPoints=&tz="
    )
    assert answer.json()[0]["target"] == "1"


def test_the_editor_knows_the_functions_and_ours_among_them(fleet):
    answer = fleet.client.get("/functions")
    assert "Infinity" not in answer.text
    found = answer.json()
    for name, one in found.items():
        assert one["name"] == name
        assert one["function"].startswith(f"{name}(")
        assert one["description"]
        assert one["group"]
        assert [param["name"] for param in one["params"]]
    ours = {name for name, one in found.items() if one["group"] == "Anomaly"}
    assert ours == {
        *("anomalyScore", "logScore", "rawScore", "sequenceScore", "noveltyScore"),
        *("usualLow", "usualHigh", "forecast", "alarms", "mostAnomalous"),
    }
    assert fleet.client.get("/functions/scale").json()["params"][1] == {
        "name": "factor",
        "type": "float",
        "required": True,
    }
    assert fleet.client.get("/version").text == "1.1.10"


# -- What comes


def test_from_is_left_out_and_until_is_not(fleet):
    (found,) = render(fleet, "web.a.requests", **{"from": UNTIL - 120, "until": UNTIL})
    assert found["datapoints"] == [[118, UNTIL - 60], [119, UNTIL]]


def test_scores_and_bands(fleet):
    found = render(
        fleet,
        *("logScore(web.a.requests)", "usualLow(web.a.requests)", "usualHigh(web.a.requests)"),
        *("forecast(web.a.requests)", "alarms(web.a.requests)", "anomalyScore(web.a.requests)"),
        *("rawScore(web.a.requests)", "sequenceScore(web.a.requests)", "noveltyScore(web.a.requests)"),
    )
    last = {one["target"]: numbers(one)[-1] for one in found}
    assert last == {
        "logScore(web.a.requests)": 0.75,
        "usualLow(web.a.requests)": 4,
        "usualHigh(web.a.requests)": 6,
        "forecast(web.a.requests)": 5,
        "alarms(web.a.requests)": 1,
        "anomalyScore(web.a.requests)": 0.5,
        "rawScore(web.a.requests)": 0.1,
        "sequenceScore(web.a.requests)": 0.75,
        "noveltyScore(web.a.requests)": 0.75,
    }
    alarms = next(one for one in found if one["target"].startswith("alarms"))
    assert numbers(alarms) == [None] * 9 + [1]


def test_the_most_anomalous_metrics_come_first_and_as_values(fleet):
    (found,) = render(fleet, "mostAnomalous(web.*.*, 1)")
    assert found["target"] == "web.a.requests"
    assert numbers(found)[-1] == 119


def test_a_score_of_what_was_computed_is_refused_in_words(fleet):
    text = render(fleet, "logScore(sumSeries(web.*.requests))", status=400)
    assert "only metrics have it" in text


def test_virtual_branches_are_the_same_without_functions(fleet):
    (found,) = render(fleet, "_htm.log.web.a.requests")
    (same,) = render(fleet, "logScore(web.a.requests)")
    assert found["target"] == "_htm.log.web.a.requests"
    assert found["datapoints"] == same["datapoints"]
    low, high = render(fleet, "_htm.{low,high}.web.a.requests")
    assert [numbers(low)[-1], numbers(high)[-1]] == [4, 6]


def test_an_alarm_is_not_averaged_away_where_there_is_room_for_few_points(fleet):
    (found,) = render(fleet, "logScore(web.a.requests)", maxDataPoints=2, **{"from": UNTIL - 3600})
    assert len(found["datapoints"]) <= 2
    assert numbers(found)[-1] == 0.75


def test_points_do_not_move_when_a_panel_is_refreshed(fleet):
    (one,) = render(fleet, "web.a.requests", maxDataPoints=6, **{"from": UNTIL - 3600, "until": UNTIL})
    (other,) = render(fleet, "web.a.requests", maxDataPoints=6, **{"from": UNTIL - 3540, "until": UNTIL})
    assert len(other["datapoints"]) >= 5
    assert [point for point in one["datapoints"] if point in other["datapoints"]] == other["datapoints"]
    assert {at % 600 for _, at in one["datapoints"]} == {0}


def test_series_by_their_tags(fleet):
    found = render(fleet, "seriesByTag('name=cpu', 'host=~web')", "aliasByTags(seriesByTag('dc=y'), 'host')")
    assert [one["target"] for one in found] == ["cpu;dc=x;host=web1", "db1"]
    assert found[0]["tags"] == {"name": "cpu", "dc": "x", "host": "web1"}
    (one,) = render(fleet, "logScore(cpu;dc=x;host=web1)")
    assert numbers(one)[-1] == 0.1


def test_other_forms(fleet):
    fields = {"from": UNTIL - 120, "until": UNTIL}
    assert render(fleet, "web.a.requests", format="raw", **fields) == (
        f"web.a.requests,{UNTIL - 60},{UNTIL + 60},60|118,119\n"
    )
    csv = render(fleet, "web.a.requests", format="csv", **fields)
    assert csv.splitlines()[0].startswith("web.a.requests,2026-09-21 ")
    assert "png" in render(fleet, "a", status=400, format="png")


def test_a_get_and_the_other_name_of_the_field(fleet):
    answer = fleet.client.get(f"/render?target[]={quote('web.a.requests')}&from=-10min&until=now")
    assert [one["target"] for one in answer.json()] == ["web.a.requests"]
    assert fleet.client.get("/metrics/index.json").json() == sorted(fleet.site.fleet.names)


def test_unknown_metrics_are_an_empty_answer(fleet):
    assert render(fleet, "nothing.*", "seriesByTag('name=nobody')") == []


def test_what_is_wrong_is_told_with_its_place(fleet):
    assert 'unknown function "foo"; known: ' in render(fleet, "foo(web.*)", status=400)
    assert "unexpected ')'" in render(fleet, "absolute(web))", status=400)
    assert "its ) is missing (at character 13)" in render(fleet, "absolute(web", status=400)
    assert "factor must be a number" in render(fleet, "scale(web.*.*, 'x')", status=400)
    assert "factor is missing" in render(fleet, "scale(web.*.*)", status=400)
    assert "from: " in render(fleet, "web", status=400, **{"from": "soon"})
    assert "same time" in render(fleet, "web", status=400, **{"from": UNTIL})
    assert "tz" in render(fleet, "web", status=400, tz="Mars/Olympus")
    assert "regular expression" in render(fleet, "grep(web.*.*, '(')", status=400)


def test_too_much_is_refused_in_words(fleet, monkeypatch):
    monkeypatch.setattr("htmengine.graphite.render.Limits", lambda: Limits(points=100))
    text = render(fleet, "web.*.*", status=400, **{"from": UNTIL - 7200})
    assert "more than the 100" in text
    monkeypatch.setattr("htmengine.graphite.render.Limits", lambda: Limits(series=2))
    assert "more than 2 series" in render(fleet, "web.*.*", status=400)
    monkeypatch.setattr("htmengine.graphite.render.Limits", lambda: Limits(timeout_s=-1))
    assert "longer than" in render(fleet, "web.*.*", status=503)


def test_a_token_is_needed_where_others_need_one(context):
    server = WebServer(context, require_token=True)
    with context.database.write() as conn:
        secret = tokens.create(conn, "grafana", ("read",), now=NOW, by="test")[1]
    with server.client:
        assert "token" in render(server, "constantLine(1)", status=401)
        basic = base64.b64encode(f"grafana:{secret}".encode()).decode()
        found = render(server, "constantLine(1)", headers=FORM | {"Authorization": f"Basic {basic}"})
        assert len(found) == 1
    server.site.close()


# -- Events


def test_deployments_are_stored_and_shown_by_their_tags(server):
    def shown(**fields):
        return server.client.get(
            "/events/get_data", params={"from": UNTIL - 600, "until": UNTIL, **fields}
        ).json()

    sent = {"what": "deploy 1.7", "tags": ["deploy", "web"], "when": UNTIL - 60, "data": "by anne"}
    assert server.client.post("/events/", json=sent).status_code == 200
    assert server.client.post("/events", json={"what": "later", "tags": "deploy db"}).status_code == 200
    (one,) = shown(tags="deploy web")
    assert one == {
        "id": 1,
        "what": "deploy 1.7",
        "when": UNTIL - 60,
        "tags": ["deploy", "web"],
        "data": "by anne",
    }
    assert shown(tags="dep") == []
    assert [one["what"] for one in shown(tags="web db", set="union", until="now")] == ["later", "deploy 1.7"]
    assert shown(until=UNTIL - 60, tags="deploy")
    assert shown(**{"from": UNTIL - 60}, tags="deploy web") == []


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"tags": "a"}, "what"),
        ({"what": " "}, "what"),
        ({"what": "x", "tags": ["a b"]}, "tags"),
        ({"what": "x", "when": 1e12}, "when"),
        ({"what": "x", "data": "y" * 10_001}, "data"),
    ],
)
def test_an_event_that_cannot_be_stored_is_refused_in_words(fleet, sent, said):
    answer = fleet.client.post("/events/", json=sent)
    assert answer.status_code == 400
    assert said in answer.text


def test_sending_an_event_needs_the_scope_for_it(context):
    server = WebServer(context, require_token=True)
    with context.database.write() as conn:
        _, secret = tokens.create(conn, "grafana", ("read",), now=NOW, by="test")
    with server.client:
        answer = server.client.post(
            "/events/", json={"what": "x"}, headers={"Authorization": f"Bearer {secret}"}
        )
        assert answer.status_code == 403
    server.site.close()


def test_an_incident_is_an_event():
    incident = {
        "id": "i7",
        "first_mover": {"name": "web.requests;dc=a"},
        "metric_count": 4,
        "opened": 5,
        "severity": "warning",
        "sentence": "web.requests fell.",
        "url": "i/i7",
    }
    assert graphite.incident_event(incident, "http://here/") == {
        "id": 7,
        "what": "anomaly: web.requests;dc=a (+3 metrics)",
        "when": 5,
        "tags": ["anomaly", "htmengine", "warning", "web"],
        "data": "web.requests fell. http://here/i/i7",
    }


# -- Rows and slots


@examples(25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    gaps=st.lists(st.sampled_from([60, 60, 60, 60, 30, 90, 600, 7200]), min_size=1, max_size=60),
    back=st.integers(0, 5000),
    length=st.integers(1, 20000),
)
def test_a_series_has_the_last_row_of_each_slot(context, gaps, back, length):
    server = WebServer(context)
    times = np.cumsum([UNTIL - 40000, *gaps]).tolist()
    name = f"m.{uuid.uuid4().hex}"
    uid = server.metric(name, [float(i) for i in range(len(times))], last=times[-1])
    with context.database.write() as conn:
        for rowid, at in enumerate(times, 1):
            where = (schema.metric_data.c.uid == uid) & (schema.metric_data.c.rowid == rowid)
            conn.execute(update(schema.metric_data).where(where).values(timestamp=from_epoch(at)))
    source = graphite_source.FleetSource(server.site, graphite_source.Names(server.site.fleet))
    end = UNTIL - back
    (grid,) = source.fetch(
        [graphite_source.Wanted(source.names.index(name), "value")], end - length, end, lambda: None, 10**6
    )
    step = grid.step
    expected = {}
    for i, at in enumerate(times):
        slot = at // step * step
        if end - length < slot <= end:
            expected[slot] = float(i)
    found = {grid.start + i * step: value for i, value in enumerate(grid.values.tolist()) if value == value}
    assert found == expected
    server.site.close()


def test_a_long_time_is_read_in_steps_and_by_hours(server, monkeypatch):
    monkeypatch.setattr(graphite_source, "MAX_ROWS", 50)
    monkeypatch.setattr(graphite_source, "HOURLY_ROWS", 200)
    values = [float(i % 60) for i in range(600)]
    last = UNTIL // 3600 * 3600 + 3540
    server.metric("web.long", values, log_scores=[0.1] * 599 + [0.75], last=last)
    with server.client:
        fields = {"until": last, "maxDataPoints": 10000}
        (hourly,) = render(server, "web.long", **fields, **{"from": last - 600 * 60})
        (scores,) = render(server, "logScore(web.long)", **fields, **{"from": last - 600 * 60})
        (low,) = render(server, "usualLow(web.long)", **fields, **{"from": last - 600 * 60})
        (steps,) = render(server, "web.long", **fields, **{"from": last - 100 * 60})
    assert {at % 3600 for _, at in hourly["datapoints"]} == {0}
    assert set(numbers(hourly)[1:-1]) == {29.5}
    assert numbers(scores)[-1] == 0.75
    assert set(numbers(low)[1:-1]) == {4}
    assert np.diff([at for _, at in steps["datapoints"]]).tolist()[0] == 120
    assert numbers(steps)[-1] in (58.5, 59)
