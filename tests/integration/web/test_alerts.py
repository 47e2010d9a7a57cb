"""Alerts over HTTP: deliveries, targets, and the file of rules."""

from itertools import pairwise

import pytest

from htmengine.alerts import deliveries
from htmengine.alerts.notice import trial_notice
from htmengine.alerts.tables_text import WrittenTarget, with_targets, written_targets
from htmengine.incidents.writer import Writer
from tests.integration.web.server import NOW, WebServer
from tests.integration.web.test_access import token_of
from tests.unit.alerts.kinds import fake_kind

OPS = '[targets.ops]\nkind = "fake"\nurl = "http://a"\n'
LONE = '[[rules]]\nname = "lone"\nmatch = "web.*"\n'


@pytest.fixture
def made():
    with fake_kind() as made:
        yield made


@pytest.fixture
def path(server):
    return server.context.settings.alerts


@pytest.fixture
def one(server, made, path):
    """Give a server with an incident, and a file."""
    path.write_text(OPS)
    server.metric("web.cpu", [5.0] * 300, log_scores=[0.1] * 299 + [0.9])
    Writer(server.context.database, clock=lambda: NOW).work()
    with server.client:
        yield server
    assert all(target.closed for target in made)


def store(server, *rows):
    """Store notices; each row is a target, a state, and the number of an incident."""
    with server.context.database.write() as conn:
        for id_, (target, state, incident) in enumerate(rows, 1):
            row = deliveries.new(id_, target, trial_notice(f"n{id_}", "x", NOW), NOW, incident=incident)
            deliveries.add(conn, [row._replace(state=state, reason="HTTP 503", tries=2, due=None)])


def ask(server, method, path, status=200, headers=None, **body):
    answer = server.client.request(
        method, f"/api/v1{path}", json=body if body or method != "GET" else None, headers=headers
    )
    assert answer.status_code == status, answer.text
    return answer.json()


class TestDeliveries:
    def test_are_listed_the_newest_first_page_by_page(self, one):
        store(one, ("ops", "delivered", 1), ("ops", "dead", 1), ("team", "retrying", None))
        first = one.get("/deliveries", limit=2)
        assert [each["id"] for each in first["items"]] == [3, 2]
        rest = one.get("/deliveries", limit=2, after=first["next"])
        assert ([each["id"] for each in rest["items"]], rest["next"]) == ([1], None)
        assert rest["items"][0] == {
            **{"id": 1, "incident": "i1", "target": "ops", "rule": "test", "kind": "test"},
            **{"severity": "info", "state": "delivered", "reason": "HTTP 503", "created": NOW, "tries": 2},
            **{"due": None, "done": None, "title": "Test message of htmengine"},
        }

    @pytest.mark.parametrize(
        ("asked", "ids"),
        [
            ({"state": ["dead", "delivered"]}, [2, 1]),
            ({"target": "team"}, [3]),
            ({"incident": "i1"}, [2, 1]),
            ({"incident": "nonsense"}, []),
            ({"from": NOW + 1}, []),
        ],
    )
    def test_are_found(self, one, asked, ids):
        store(one, ("ops", "delivered", 1), ("ops", "dead", 1), ("team", "retrying", None))
        assert [each["id"] for each in one.get("/deliveries", **asked)["items"]] == ids

    def test_of_an_incident_stand_in_it(self, one):
        store(one, ("ops", "delivered", 1), ("ops", "dead", 1), ("team", "retrying", None))
        assert [each["id"] for each in one.get("/incidents/i1")["deliveries"]] == [1, 2]
        assert one.get("/incidents")["items"][0]["deliveries"] == []

    def test_are_the_end_of_the_road_of_a_sample(self, one):
        assert one.get("/follow", metric="web.cpu")["steps"][-1] == {
            "stage": "Alerts",
            "state": "stopped",
            "time": None,
            "text": "nobody was told of it",
        }
        store(
            one, ("ops", "delivered", 1), ("mail", "suppressed", 1), ("ops", "pending", 1), ("ops", "dead", 2)
        )
        last = [step for step in one.get("/follow", metric="web.cpu")["steps"] if step["stage"] == "Alerts"]
        assert [(step["state"], step["text"]) for step in last] == [
            ("stopped", "mail was not told: HTTP 503"),
            ("done", "ops was told by the rule test"),
        ]

    def test_are_sent_again(self, one):
        store(one, ("ops", "dead", 1))
        found = ask(one, "POST", "/deliveries/1/send-again")
        assert (found["state"], found["tries"], found["due"]) == ("pending", 0, NOW)
        ask(one, "POST", "/deliveries/7/send-again", status=404)


class TestTargets:
    def test_are_listed_with_how_they_took_the_last_notice(self, one):
        store(one, ("ops", "dead", 1))
        with one.context.database.write() as conn:
            deliveries.disable(conn, "ops", 1, "HTTP 410")
        (ops,) = one.get("/targets")["items"]
        assert (ops["name"], ops["kind"], ops["enabled"]) == ("ops", "fake", False)
        assert ops["disabled_reason"] == "HTTP 410"
        assert ops["last"]["state"] == "dead"

    def test_name_their_secrets_and_show_none(self, one, path, monkeypatch):
        monkeypatch.setenv("OPS_TOKEN", "s3cret-of-the-environment")
        (path.parent / "hook").write_text("whsec_" + "c2VjcmV0" * 4)
        path.write_text(
            '[targets.ops]\nkind = "webhook"\nurl = "https://a.example/"\nsecret_file = "hook"\ntoken_env = "OPS_TOKEN"\n'
        )
        answer = one.get("/targets")
        (ops,) = answer["items"]
        assert ops["secrets"] == {"secret": "the file hook", "token": "the environment variable OPS_TOKEN"}
        assert answer["path"] == str(path)
        assert "s3cret" not in str(answer)
        assert "c2VjcmV0" not in str(answer)

    def test_are_tried(self, one, made):
        assert ask(one, "POST", "/targets/ops/test") == {"delivered": True, "reason": ""}
        assert made[-1].given[0].kind == "test"
        ask(one, "POST", "/targets/nobody/test", status=404)

    def test_of_a_file_that_cannot_be_used_are_not_known(self, one, path):
        path.write_text("[targets")
        assert "alerts.toml:1" in one.get("/targets", status=409)["detail"]

    def test_there_are_none_without_a_file(self, one, path):
        path.unlink()
        assert one.get("/targets") == {"items": [], "path": str(path)}


class TestRules:
    def read(self, one):
        answer = one.client.get("/api/v1/rules")
        return answer.json(), {"If-Match": answer.headers["ETag"]}

    def test_are_read_and_written_by_who_has_seen_the_newest(self, one, path):
        path.chmod(0o640)
        found, match = self.read(one)
        assert (found["text"], found["path"], found["fault"]) == (OPS, str(path), None)
        assert (found["rules"], found["targets"], found["mode"]) == ([], ["ops"], "first")
        answer = one.client.put("/api/v1/rules", json={"text": OPS + LONE}, headers=match)
        assert answer.status_code == 200, answer.text
        assert path.read_text() == answer.json()["text"] == OPS + LONE
        assert path.stat().st_mode & 0o777 == 0o640
        assert [one for one in path.parent.iterdir() if "alerts" in one.name] == [path]
        ask(one, "PUT", "/rules", status=412, headers=match, text=OPS)
        ask(one, "PUT", "/rules", headers={"If-Match": answer.headers["ETag"]}, text=OPS)

    def test_are_not_written_over_what_nobody_has_seen(self, one, path):
        assert "If-Match" in ask(one, "PUT", "/rules", status=400, text=OPS)["detail"]

    def test_with_faults_are_not_written_and_each_fault_is_told(self, one, path):
        _, match = self.read(one)
        problem = ask(one, "PUT", "/rules", status=400, headers=match, text=OPS + "[[rules]]\n[[rules]]\n")
        assert [error["detail"].split(":")[1] for error in problem["errors"]] == ["4", "5"]
        assert path.read_text() == OPS

    @pytest.mark.parametrize(
        ("kind", "settings", "field"),
        [
            ("script", {"command": ["/bin/sh"]}, "kind"),
            ("webhook", {"url": "http://x/", "token_file": "/etc/shadow"}, "settings/token_file"),
            ("webhook", {"url": "http://x/", "token_file": "secrets/../alerts.toml"}, "settings/token_file"),
            ("webhook", {"url": "http://x/", "token_env": "PATH"}, "settings/token_env"),
            ("webhook", {"url": "https://x/", "ca_file": "alerts.toml"}, "settings/ca_file"),
            (
                "webhook",
                {"url": "http://169.254.169.254/", "allow_link_local": True},
                "settings/allow_link_local",
            ),
        ],
    )
    def test_run_no_program_and_read_no_file_of_this_machine(self, one, path, kind, settings, field):
        _, match = self.read(one)
        wanted = [{"name": "ops", "kind": "webhook"}, {"name": "x", "kind": kind, "settings": settings}]
        found = ask(one, "PUT", "/rules", status=400, headers=match, targets=wanted)
        assert f"/targets/1/{field}" in [error["pointer"] for error in found["errors"]]
        text = with_targets(OPS, [*written_targets(OPS), WrittenTarget("x", kind, settings)])
        for method, asked in (("PUT", "/rules"), ("POST", "/rules/preview")):
            assert ask(one, method, asked, status=409, headers=match, text=text)["errors"]
        path.write_text(text)  # what stands there stays, and others are changed beside it
        if field != "settings/token_env":
            return  # which names what is not here
        found, match = self.read(one)
        others = [{**target, "settings": {"url": "http://y/"}} for target in found["written_targets"][:1]]
        ask(one, "PUT", "/rules", headers=match, targets=[*others, *found["written_targets"][1:]])

    def test_read_no_other_file_than_a_calendar_beside_them(self, one, path):
        for ical in ("alerts.toml", "/etc/passwd", "../x.ics"):
            for method, asked, body in (
                ("PUT", "/rules", {"windows": [{"name": "w", "ical": ical}]}),
                ("POST", "/windows/preview", {"name": "w", "ical": ical}),
            ):
                found = ask(one, method, asked, status=400, headers=self.read(one)[1], **body)
                assert [error["pointer"].split("/")[-1] for error in found["errors"]] == ["ical"]
                assert "*.ics in the folder" in found["detail"]

    def test_have_targets_that_are_added_changed_and_removed(self, one, path, monkeypatch):
        (path.parent / "secrets").mkdir()
        (path.parent / "secrets" / "key").write_text("k" * 32)
        monkeypatch.setenv("HTMENGINE_SECRET_TOKEN", "t0p-secret")
        found, match = self.read(one)
        (ops,) = found["written_targets"]
        pager = {"name": "on call", "kind": "pagerduty", "settings": {"routing_key_file": "secrets/key"}}
        team = {
            "name": "team",
            "kind": "webhook",
            "settings": {"url": "http://x/", "token_env": "HTMENGINE_SECRET_TOKEN"},
        }
        answer = one.client.put("/api/v1/rules", json={"targets": [ops, pager, team]}, headers=match)
        assert answer.status_code == 200, answer.text
        assert answer.json()["written_targets"] == [ops, pager, team]
        assert "t0p-secret" not in answer.text
        assert [target["name"] for target in one.get("/targets")["items"]] == ["ops", "on call", "team"]
        match = {"If-Match": answer.headers["ETag"]}
        wrong = [ops, {**team, "name": "ops"}, {**team, "name": " "}]
        found = ask(one, "PUT", "/rules", status=400, headers=match, targets=wrong)
        assert [error["pointer"] for error in found["errors"]] == ["/targets/1/name", "/targets/2/name"]
        wrong = [
            {"name": "a", "kind": "mail", "settings": {"host": "x y", "port": 0}},
            {"name": "b", "kind": "no"},
        ]
        found = ask(one, "PUT", "/rules", status=400, headers=match, targets=wrong)
        assert {error["pointer"] for error in found["errors"]} >= {
            "/targets/0",
            "/targets/0/settings/host",
            "/targets/0/settings/port",
            "/targets/1/kind",
        }
        answer = one.client.put("/api/v1/rules", json={"targets": [pager]}, headers=match)
        assert [target["name"] for target in one.get("/targets")["items"]] == ["on call"]

    def test_have_windows_that_are_added_changed_and_removed(self, one, path):
        found, match = self.read(one)
        assert found["written_windows"] == []
        night = {"name": "night", "cron": "0 22 * * *", "duration": "8h"}
        move = {"name": "move", "from": "2031-01-02T10:00", "to": "2031-01-02T12:00:00+01:00"}
        answer = one.client.put(
            "/api/v1/rules", json={"windows": [night, move], "maintenance": ["night"]}, headers=match
        )
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found["maintenance"] == ["night"]
        assert found["written_windows"] == [night, {**move, "from": "2031-01-02T10:00:00"}]
        assert path.read_text().startswith('maintenance = "night"\n')
        match = {"If-Match": answer.headers["ETag"]}
        wrong = [
            {"name": "a", "cron": "0 99 * * *", "duration": "no"},
            {"name": "b", "from": "soon", "to": "x"},
        ]
        found = ask(one, "PUT", "/rules", status=400, headers=match, windows=wrong)
        assert {error["pointer"] for error in found["errors"]} >= {
            "/windows/0/cron",
            "/windows/0/duration",
            "/windows/1/from",
        }
        # One that is still named is not removed.
        assert "night" in ask(one, "PUT", "/rules", status=400, headers=match, windows=[])["detail"]
        ask(one, "PUT", "/rules", headers=match, windows=[], maintenance=[])
        assert path.read_text().strip() == OPS.strip()

    def test_have_windows_whose_next_times_are_told_before(self, one):
        found = ask(one, "POST", "/windows/preview", name="night", cron="0 22 * * *", duration="8h")
        assert found["words"] == "At 22:00 every day, for 8 h (UTC)"
        assert len(found["next"]) == 5
        assert [end - begin for begin, end in found["next"]] == [8 * 3600] * 5
        assert {round(after[0] - before[0]) for before, after in pairwise(found["next"])} == {86_400}
        once = ask(
            one,
            "POST",
            "/windows/preview",
            name="x",
            **{"from": "2031-01-02T10:00", "to": "2031-01-03T10:00"},
        )
        assert len(once["next"]) == 1
        found = ask(one, "POST", "/windows/preview", status=400, name="night", cron="0 22 * *", duration="8h")
        assert [error["pointer"] for error in found["errors"]] == ["/cron"]
        found = ask(one, "POST", "/windows/preview", status=400, name="night")
        assert [error["pointer"] for error in found["errors"]] == ["/"]

    def test_that_cannot_be_used_are_shown_with_their_faults(self, one, path):
        path.write_text(OPS + "[[rules]]\n")
        found, _ = self.read(one)
        assert found["text"] == OPS + "[[rules]]\n"
        assert "alerts.toml:4: rules 1: has no name" in found["fault"]

    def test_are_empty_without_a_file_and_make_it(self, one, path):
        path.unlink()
        found, match = self.read(one)
        assert (found["text"], found["fault"]) == ("", None)
        ask(one, "PUT", "/rules", headers=match, text="# nobody\n")
        assert path.read_text() == "# nobody\n"

    def test_are_read_one_by_one_with_the_windows_that_they_name(self, one, path):
        window = '[windows.night]\ncron = "0 22 * * *"\nduration = "8h"\n'
        path.write_text('maintenance = "night"\n' + OPS + window + LONE)
        found, _ = self.read(one)
        assert found["rules"] == [{"name": "lone", "match": ["web.*"]}]
        assert found["maintenance"] == ["night"]
        (night,) = found["windows"]
        assert night["words"] == "At 22:00 every day, for 8 h (UTC)"
        assert night["next"][1] - night["next"][0] == 8 * 3600
        assert found["max_age_s"] == 3600

    def test_are_written_one_by_one_without_touching_the_rest(self, one, path):
        path.write_text("# ours\n" + OPS)
        _, match = self.read(one)
        rules = [{"name": "db", "match": ["db.*"], "at_least": {"rows": 2}}]
        answer = one.client.put("/api/v1/rules", json={"rules": rules}, headers=match)
        assert answer.json()["rules"] == rules
        assert path.read_text() == "# ours\n" + OPS + "\n" + (
            '[[rules]]\nname = "db"\nmatch = "db.*"\nat_least = { rows = 2 }\n'
        )

    def test_one_by_one_tell_which_field_is_wrong(self, one, path):
        _, match = self.read(one)
        rules = [{"name": "db", "min_score": 0.2}, {"name": "db", "targets": ["x"], "at_least": {"rows": 0}}]
        for method, asked in (("PUT", "/rules"), ("POST", "/rules/preview")):
            found = ask(one, method, asked, status=400, headers=match, rules=rules)["errors"]
            assert sorted(error["pointer"] for error in found) == [
                "/rules/0/min_score",
                "/rules/1/at_least/rows",
                "/rules/1/name",
                "/rules/1/targets",
            ]
        ask(one, "PUT", "/rules", status=400, headers=match, rules=[], text=OPS)
        ask(one, "PUT", "/rules", status=400, headers=match)
        assert path.read_text() == OPS

    def test_that_stand_in_the_file_otherwise_are_changed_in_its_text(self, one, path):
        path.write_text('rules = [{ name = "a" }]\n' + OPS)
        found, match = self.read(one)
        assert (found["rules"], found["fault"]) == (None, None)
        assert "in its text" in ask(one, "PUT", "/rules", status=409, headers=match, rules=[])["detail"]

    def test_are_tried_on_history(self, one):
        preview = ask(one, "POST", "/rules/preview", rules=[{"name": "lone", "match": ["web.*"]}], days=2)
        assert [message["rule"] for message in preview["messages"]] == ["lone"]
        preview = ask(one, "POST", "/rules/preview", text=OPS + LONE, days=2)
        (message,) = preview["messages"]
        assert (message["incident"], message["rule"], message["targets"]) == ("i1", "lone", ["ops"])
        assert (preview["incidents"], preview["curve"]) == (1, None)
        assert (
            ask(one, "POST", "/rules/preview")["messages"] == []
        )  # the default rule wants more than one alarm

    def test_have_a_curve_of_how_many_incidents_a_score_tells_of(self, one):
        preview = ask(one, "POST", "/rules/preview", text=OPS + LONE, curve_of="lone", per_week=0.5)
        curve = preview["curve"]
        assert curve["points"][0] == {"min_score": 0.5, "per_week": 1.0}
        assert curve["points"][-1]["per_week"] == 0.0
        assert curve["min_score"] > 0.9
        assert "curve_of" in str(
            ask(one, "POST", "/rules/preview", status=400, text=OPS, curve_of="no")["errors"]
        )


@pytest.mark.parametrize(
    ("method", "asked", "scope"),
    [
        ("GET", "/deliveries", "read"),
        ("GET", "/targets", "read"),
        ("POST", "/deliveries/1/send-again", "admin"),
        ("POST", "/targets/ops/test", "admin"),
        ("GET", "/rules", "admin"),
        ("PUT", "/rules", "admin"),
        ("POST", "/rules/preview", "admin"),
        ("POST", "/windows/preview", "admin"),
    ],
)
def test_each_needs_its_scope(context, method, asked, scope):
    server = WebServer(context, require_token=True)
    lesser = token_of(server, "write" if scope == "read" else "teach")
    answer = server.client.request(
        method, f"/api/v1{asked}", json={}, headers={"Authorization": f"Bearer {lesser}"}
    )
    server.site.close()
    assert answer.status_code == 403
    assert scope in answer.json()["detail"]
