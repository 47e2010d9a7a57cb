import pytest

from htmengine import config
from htmengine.config.settings import MONITOR_EVERYTHING
from htmengine.runtime.metric_storer.monitor_rules import RulesFile
from htmengine.service.context import opened
from tests.integration.web.server import NOW, WebServer
from tests.integration.web.test_access import token_of


def post(server, path, status=200, json=None):
    answer = server.client.post(f"/api/v1{path}", json=json if json is not None else {})
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def test_a_metric_gets_a_model_and_loses_it(server):
    uid = server.metric("a", [5.0] * 300, monitored=False)
    with server.client:
        assert post(server, f"/metrics/{uid}/monitor")["state"] in ("no_model", "learning")
        problem = post(server, f"/metrics/{uid}/monitor", 409)
        assert "unmonitor it first" in problem["detail"]
        assert post(server, f"/metrics/{uid}/unmonitor")["state"] == "unmonitored"


def test_a_range_and_a_parameter_set_may_be_given(server):
    uid = server.metric("a", [5.0], monitored=False)
    with server.client:
        post(server, f"/metrics/{uid}/monitor", 400, {"minimum": 1})
        post(server, f"/metrics/{uid}/monitor", 400, {"model": "best"})
        post(server, f"/metrics/{uid}/monitor", 400, {"minimun": 1})
        assert post(server, f"/metrics/{uid}/monitor", 200, {"minimum": 0, "maximum": 9, "model": "nupic"})


def test_every_metric_of_a_pattern_gets_a_model(server):
    for name in ("web.a", "web.b", "db.a"):
        server.metric(name, [5.0], monitored=False)
    server.metric("web.c", [5.0])
    with server.client:
        assert post(server, "/metrics/monitor", json={"pattern": "web.*"}) == {"monitored": 2, "left": 0}
        states = {row["name"]: row["state"] for row in server.get("/metrics")["items"]}
    assert states.pop("db.a") == "unmonitored"
    assert "unmonitored" not in states.values()


def test_a_deleted_metric_is_gone_with_its_samples(server):
    uid = server.metric("a", [5.0] * 3)
    with server.client as client:
        assert client.delete(f"/api/v1/metrics/{uid}").status_code == 204
        assert server.get("/metrics")["total"] == 0
        assert client.delete(f"/api/v1/metrics/{uid}").status_code == 404


def test_metrics_of_a_pattern_lose_their_models_or_are_deleted(server):
    for name in ("web.a", "web.b", "db.a"):
        server.metric(name, [5.0] * 3)
    server.metric("web.c", [5.0], monitored=False)
    with server.client:
        assert post(server, "/metrics/unmonitor", json={"pattern": "web.*"}) == {"changed": 2, "left": 0}
        states = {row["name"]: row["state"] for row in server.get("/metrics")["items"]}
        assert {name for name, state in states.items() if state == "unmonitored"} == {
            "web.a",
            "web.b",
            "web.c",
        }
        assert post(server, "/metrics/delete", json={"pattern": "web.[ab]"}) == {"changed": 2, "left": 0}
        assert {row["name"] for row in server.get("/metrics")["items"]} == {"web.c", "db.a"}


def test_many_metrics_are_deleted_by_several_requests(server, monkeypatch):
    monkeypatch.setattr("htmengine.web.api.monitoring.MAX_CHANGED", 2)
    for name in "abc":
        server.metric(name, [5.0])
    with server.client:
        assert post(server, "/metrics/delete", json={"pattern": "*"}) == {"changed": 2, "left": 1}
        assert post(server, "/metrics/delete", json={"pattern": "*"}) == {"changed": 1, "left": 0}
        assert server.get("/metrics")["total"] == 0


def test_a_model_moves_to_another_metric_by_export_and_import(server):
    uid = server.metric("a", [5.0] * 300, last=NOW)
    with server.client as client:
        exported = post(server, f"/models/{uid}/export")
        assert client.delete(f"/api/v1/metrics/{uid}").status_code == 204
        imported = post(server, "/models/import", json=exported)
    assert imported["name"] == "a"
    assert imported["stored"] == 300


@pytest.mark.parametrize("body", [{}, {"metricSpec": {}}, {"metricSpec": {"metric": 5}}, {"datasource": "x"}])
def test_what_is_no_export_is_explained(server, body):
    with server.client:
        assert post(server, "/models/import", 400, body)["detail"]


def test_rules_are_tried_before_they_are_written(server):
    for name in ("web.a", "web.b", "db.a", "other"):
        server.metric(name, [5.0], monitored=False)
    with server.client:
        (everything,) = server.get("/monitor-rules")["rules"]
        assert (everything["pattern"], everything["monitor"], everything["matches"]) == ("*", True, 4)
        wanted = [
            {"pattern": "web.*", "monitor": True, "limit": 1},
            {"pattern": "*.a", "monitor": True},
            {"pattern": "*", "monitor": False},
        ]
        preview = post(server, "/monitor-rules/preview", json={"rules": wanted})
    assert [rule["matches"] for rule in preview["rules"]] == [2, 1, 1]
    assert (preview["would_monitor"], preview["would_leave"], preview["monitored"]) == (2, 2, 0)
    assert preview["rules"][0]["examples"] == ["web.a", "web.b"]


RULES = "[web]\npattern = web.*\naction = monitor\n"
OTHERS = "# nothing else\n[all]\npattern = *\naction = ignore\n"


class TestFileOfRules:
    @pytest.fixture
    def one(self, data_folder):
        """Give a server that has a file of rules."""
        path = data_folder / "monitor-rules.conf"
        path.write_text(RULES)
        with opened(config.embedded(data_folder)) as context:
            server = WebServer(context)
            with server.client:
                yield server
            server.site.close()

    @pytest.fixture
    def path(self, one):
        return one.context.settings.storer.rules

    def read(self, one):
        answer = one.client.get("/api/v1/monitor-rules")
        assert answer.status_code == 200, answer.text
        return answer.json(), {"If-Match": answer.headers["ETag"]}

    def put(self, one, text, match, status=200):
        answer = one.client.put("/api/v1/monitor-rules", json={"text": text}, headers=match)
        assert answer.status_code == status, answer.text
        return answer

    def test_is_read_and_written_by_who_has_seen_the_newest(self, one, path):
        path.chmod(0o640)
        found, match = self.read(one)
        assert (found["text"], found["path"], found["fault"]) == (RULES, str(path), None)
        one.metric("web.a", [5.0], monitored=False)  # more metrics do not make it another file
        answer = self.put(one, OTHERS, match)
        assert path.read_text() == answer.json()["text"] == OTHERS
        assert [(rule["name"], rule["says"], rule["line"]) for rule in answer.json()["rules"]] == [
            ("all", "action = ignore", 2)
        ]
        assert answer.json()["editable"]
        assert path.stat().st_mode & 0o777 == 0o640
        assert [one for one in path.parent.iterdir() if "monitor-rules" in one.name] == [path]
        assert "read it again" in self.put(one, RULES, match, 412).json()["detail"]
        self.put(one, RULES, {"If-Match": answer.headers["ETag"]})

    def test_is_tried_as_text(self, one, path):
        for name in ("web.a", "web.b", "db.a"):
            one.metric(name, [5.0], monitored=False)
        limited = RULES + "limit = 1\n[db]\npattern = db.*\naction = ignore\n"
        found = post(one, "/monitor-rules/preview", json={"text": limited})
        assert [(rule["name"], rule["matches"]) for rule in found["rules"]] == [("web", 2), ("db", 1)]
        assert (found["would_monitor"], found["would_leave"]) == (1, 2)
        answer = one.client.post("/api/v1/monitor-rules/preview", json={"text": "[a]\npattern = *\n"})
        assert answer.status_code == 400
        assert "line 1" in answer.json()["errors"][0]["detail"]
        assert path.read_text() == RULES

    def test_says_which_rules_apply_to_a_name(self, one, path):
        path.write_text("[old]\nregex = app\\.(.*)\nrename = web.\\1\n" + RULES)
        found = one.get("/monitor-rules/way", name="app.load")
        assert [(step["section"], step["line"], step["says"]) for step in found["rules"]] == [
            ("old", 1, "the name becomes web.load"),
            ("web", 4, "action = monitor"),
        ]
        assert (found["stored"], found["action"]) == ("web.load", "monitor")
        assert found["outcome"] == "Its samples are stored as web.load, and it is monitored."
        stored = one.get("/monitor-rules/way", name="app.load", stored="true")
        assert (stored["rules"], stored["action"]) == ([], None)
        one.get("/monitor-rules/way", status=400, name="a b\n")
        path.write_text("[")
        one.get("/monitor-rules/way", status=409, name="x")

    def test_is_not_written_over_what_nobody_has_seen(self, one, path):
        assert "If-Match" in self.put(one, OTHERS, {}, 400).json()["detail"]
        assert path.read_text() == RULES

    def test_with_faults_is_not_written_and_each_fault_is_told(self, one, path):
        _, match = self.read(one)
        problem = self.put(one, "[a]\npattern = *\n[b]\naction = ignore\n", match, 400).json()
        lines = [error["detail"].removeprefix(f"{path}: ").split(":")[0] for error in problem["errors"]]
        assert lines == ["line 1", "line 3"]
        assert path.read_text() == RULES

    def test_that_cannot_be_used_is_shown_with_its_faults_and_can_be_mended(self, one, path):
        path.write_text("[a]\npattern = *\n")
        found, match = self.read(one)
        assert (found["text"], found["rules"]) == ("[a]\npattern = *\n", [])
        assert "line 1: [a] has no action" in found["fault"]
        assert self.put(one, RULES, match).json()["fault"] is None

    def test_is_taken_by_a_running_storer(self, one, path):
        rules = RulesFile(path, "metric_storer")
        self.put(one, OTHERS, self.read(one)[1])
        assert rules.has_changed()
        assert not rules.rules.first("web.a").monitor

    def test_is_made_where_there_was_none_and_the_one_of_the_package_is_never_written(self, server):
        before = MONITOR_EVERYTHING.read_bytes()
        storer = server.context.settings.storer
        running = RulesFile(storer.rules, "metric_storer", without=storer.rules_without_file)
        assert running.rules.first("db.a").monitor
        with server.client:
            found, match = self.read(server)
            assert (found["text"], found["editable"]) == (before.decode(), True)
            assert server.get("/monitor-rules/way", name="db.a")["action"] == "monitor"
            self.put(server, OTHERS, {"If-Match": '"another"'}, 412)
            assert not storer.rules.exists()
            assert self.put(server, OTHERS, match).json()["text"] == OTHERS
            assert server.get("/monitor-rules/way", name="web.a")["action"] == "ignore"
        assert storer.rules.read_text() == OTHERS
        assert MONITOR_EVERYTHING.read_bytes() == before
        assert running.has_changed()
        assert not running.rules.first("web.a").monitor
        storer.rules.unlink()  # an editor may do so before it writes another
        assert not running.has_changed()
        assert not running.rules.first("web.a").monitor

    def test_leaves_a_line_in_the_log_that_says_who_wrote_it(self, one, caplog):
        with caplog.at_level("INFO"):
            self.put(one, OTHERS, self.read(one)[1])
        assert "write_monitor_rules" in caplog.text

    def test_is_read_by_all_who_read_and_written_by_who_may_do_everything(self, context):
        server = WebServer(context, require_token=True)

        def status(method, scope):
            return server.client.request(
                method,
                "/api/v1/monitor-rules",
                json={"text": ""} if method == "PUT" else None,
                headers={"Authorization": f"Bearer {token_of(server, scope)}"},
            ).status_code

        assert (status("GET", "write"), status("GET", "read")) == (403, 200)
        assert (status("PUT", "teach"), status("PUT", "admin")) == (403, 400)  # without If-Match
        server.site.close()
