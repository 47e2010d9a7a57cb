import json

import pytest

from htmengine import config
from htmengine.cli import rules
from htmengine.errors import ConfigError, MisuseError
from htmengine.repository import metrics, samples
from htmengine.repository.status import MetricStatus
from htmengine.service.context import opened

RULES = """
[apps]
regex = app\\.(.*)
rename = web.\\1

[agents]
internals = carbon
action = drop

[totals]
pattern = *_total
kind = counter

[quiet]
pattern = quiet.*
action = ignore

[web]
pattern = web.*
action = monitor
min = 0
max = 9
limit = 2
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "monitor-rules.conf"
    path.write_text(RULES)
    return path


def output(capsys, path, *names):
    rules.tell(path, names, json=False)
    return capsys.readouterr().out.splitlines()


def test_it_is_told_which_rules_apply_and_what_comes_of_it(path, capsys):
    assert output(capsys, path, "app.hits_total") == [
        "app.hits_total",
        "  line 2: [apps] fits (app\\.(.*)): the name becomes web.hits_total",
        "  line 10: [totals] fits (*_total): kind = counter",
        "  line 18: [web] fits (web.*): action = monitor, range 0 to 9, limit = 2",
        "  Its samples are stored as web.hits_total, as growth per second, and it is monitored.",
    ]
    assert output(capsys, path, "carbon.agents.a.cpuUsage")[-1] == "  Its samples are not stored."
    assert output(capsys, path, "quiet.a")[-1] == "  Its samples are stored, and it is not monitored."
    assert "no rule of" in output(capsys, path, "other")[-1]


def test_the_same_is_told_to_programs(path, capsys):
    rules.tell(path, ["app.a", "carbon.agents.a.b"], json=True)
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["metric"], first["stored"], first["action"]) == ("app.a", "web.a", "monitor")
    assert [rule["section"] for rule in first["rules"]] == ["apps", "web"]
    assert (second["stored"], second["action"]) == (None, "drop")


def test_names_and_files_that_cannot_be_used_are_told(path, capsys):
    with pytest.raises(MisuseError, match="cannot be a metric's name"):
        rules.tell(path, ["a;b"], json=False)
    with pytest.raises(MisuseError, match=r"no monitor-rules\.conf"):
        rules.tell(None, ["a"], json=False)
    path.write_text("[a]\n")
    with pytest.raises(ConfigError):
        rules.tell(path, ["a"], json=False)


def test_rules_are_applied_to_the_metrics_that_there_are(tmp_path, path, capsys):
    with opened(config.embedded(tmp_path)) as context:
        with context.database.write() as conn:
            names = ["carbon.agents.a.b", "quiet.a", "quiet.b", "web.a", "web.b", "web.c", "app.a", "other"]
            uids = metrics.create_custom(conn, names)
            for name in ("quiet.a", "web.a", "other"):
                metrics.start_model(
                    conn, uids[name], parameters="{}", model_params="{}", status=MetricStatus.ACTIVE
                )
        rules.apply(context, dry_run=True, yes=False)
        planned = capsys.readouterr()
        assert planned.out.splitlines() == [
            "delete     carbon.agents.a.b",
            "unmonitor  quiet.a",
            "monitor    web.b  [web]",
        ]
        assert "app.a: new samples of it are stored as web.a" in planned.err
        assert "3 changes would be made" in planned.err
        with pytest.raises(MisuseError, match="change 3 metrics"):
            rules.apply(context, dry_run=False, yes=False)
        rules.apply(context, dry_run=False, yes=True)
        with context.database.read() as conn:
            monitored = {state.name for state in metrics.custom(conn) if state.status}
            assert monitored == {"web.a", "web.b", "other"}
            assert len(metrics.custom(conn)) == 7
        rules.apply(context, dry_run=False, yes=False)
        assert capsys.readouterr().err.endswith("All metrics are as the rules say.\n")


def test_a_metric_goes_on_under_its_new_name_with_all_that_is_known_of_it(tmp_path, path, capsys):
    path.write_text("[apps]\nregex = app\\.(.*)\nrename = web.\\1\n\n[all]\npattern = *\naction = monitor\n")
    with opened(config.embedded(tmp_path)) as context:
        with context.database.write() as conn:
            uids = metrics.create_custom(conn, ["app.a", "app.b", "web.b", "other"])
            for name, uid in uids.items():
                metrics.start_model(
                    conn,
                    uid,
                    parameters=json.dumps({"metricSpec": {"metric": name}}),
                    model_params="{}",
                    status=MetricStatus.ACTIVE,
                )
        rules.apply(context, dry_run=True, yes=False)
        planned = capsys.readouterr()
        assert planned.out.splitlines() == ["rename     app.a  web.a"]
        assert "1 metric would go on under the new name" in planned.err
        assert "app.b: new samples of it are stored as web.b, which has rows of its own" in planned.err
        rules.apply(context, dry_run=False, yes=True)
        with context.database.read() as conn:
            found = metrics.states_by_name(conn, ["app.a", "web.a", "app.b", "web.b"])
            described = metrics.descriptions(conn, [uids["app.a"]])[uids["app.a"]]
        assert {name: state.uid for name, state in found.items()} == {
            "web.a": uids["app.a"],
            "app.b": uids["app.b"],
            "web.b": uids["web.b"],
        }
        assert found["web.a"].status == MetricStatus.ACTIVE
        assert '"metric": "web.a"' in described.parameters
        assert described.server == "web.a"
        capsys.readouterr()
        rules.apply(context, dry_run=False, yes=False)
        assert capsys.readouterr().err.endswith("All metrics are as the rules say.\n")


def test_of_several_that_become_one_that_with_the_newest_row_goes_on(tmp_path, path, capsys):
    path.write_text("[pods]\npattern = load;pod=*\ndrop_tags = pod\n")
    with opened(config.embedded(tmp_path)) as context:
        with context.database.write() as conn:
            uids = metrics.create_custom(conn, ["load;pod=a", "load;pod=b", "load;pod=c"])
            advances = [
                samples.Advance(uids[f"load;pod={pod}"], 0, 1, at, 0)
                for pod, at in zip("abc", (5, 9, 7), strict=True)
            ]
            samples.advance_last(conn, advances)
        rules.apply(context, dry_run=True, yes=False)
        planned = capsys.readouterr()
    assert planned.out.splitlines() == ["rename     load;pod=b  load"]
    assert "load;pod=a: new samples of it are stored as load" in planned.err


def test_a_name_that_a_rule_would_change_each_time_is_left(tmp_path, path, capsys):
    path.write_text("[all]\nregex = (.*)\nrename = x.\\1\n")
    with opened(config.embedded(tmp_path)) as context:
        with context.database.write() as conn:
            metrics.create_custom(conn, ["x.a"])
        rules.apply(context, dry_run=False, yes=True)
        assert not capsys.readouterr().out
