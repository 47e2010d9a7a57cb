import json
import time

import pytest
from typer.testing import CliRunner

from htmengine import config
from htmengine.alerts import deliveries
from htmengine.alerts.notice import trial_notice
from htmengine.cli.app import app
from htmengine.service.context import opened
from tests.unit.alerts.targets.receiving import HttpReceiver
from tests.unit.incidents import alarming

RULES = '[[rules]]\nname = "all"\nat_least = { metrics = 2 }\n[[rules]]\nname = "lone"\n'


@pytest.fixture
def receiver():
    receiver = HttpReceiver()
    yield receiver
    receiver.close()


@pytest.fixture
def folder(data_folder, receiver):
    """Give a data folder, with an engine's files and a file of alerts."""
    (data_folder / "alerts.toml").write_text(
        f'[targets.ops]\nkind = "webhook"\nurl = "{receiver.url}/secret"\n{RULES}'
    )
    return data_folder


@pytest.fixture
def database(folder):
    with opened(config.embedded(folder), serving=False) as context:
        yield context.database


def run(folder, *arguments, code=0):
    done = CliRunner().invoke(app, ["alerts", *map(str, arguments), "--data", str(folder)])
    assert done.exit_code == code, done.output
    return done


def documents(folder, *arguments):
    return [json.loads(line) for line in run(folder, *arguments, "--json").stdout.splitlines()]


def store(database, *rows):
    """Store notices to targets; each row is a target, a state, and an incident."""
    now = time.time()
    with database.write() as conn:
        for id_, (target, state, incident) in enumerate(rows, 1):
            row = deliveries.new(id_, target, trial_notice(f"n{id_}", "x", now), now, incident=incident)
            done = state in ("delivered", "dead", "suppressed")
            stored = row._replace(state=state, reason="HTTP 503", tries=2, due=None if done else now + 60)
            deliveries.add(conn, [stored])


def test_notices_are_listed_the_newest_first_with_what_became_of_them(folder, database):
    store(database, ("ops", "delivered", 1), ("team", "dead", 1), ("ops", "retrying", None))
    done = run(folder, "list")
    first, *rest = done.stdout.splitlines()
    assert first.split()[0] == "Id"
    assert [line.split()[0] for line in rest] == ["3", "2", "1"]
    assert "engine" in rest[0]
    assert "HTTP 503; again at" in rest[0]
    assert "send-again ID" in done.stderr
    found = documents(folder, "list")
    assert [(one["id"], one["target"], one["incident"], one["state"], one["tries"]) for one in found] == [
        (3, "ops", None, "retrying", 2),
        (2, "team", "i1", "dead", 2),
        (1, "ops", "i1", "delivered", 2),
    ]
    assert "notice" not in found[0]


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--state", "dead"], [2]),
        (["--state", "dead", "--state", "delivered"], [2, 1]),
        (["--target", "ops"], [3, 1]),
        (["--incident", "i1"], [2, 1]),
        (["--since", "1h"], [3, 2, 1]),
        (["--since", "2100-01-01"], []),
        (["--limit", "1"], [3]),
    ],
)
def test_those_that_are_asked_for_are_listed(folder, database, options, ids):
    store(database, ("ops", "delivered", 1), ("team", "dead", 1), ("ops", "retrying", None))
    assert [one["id"] for one in documents(folder, "list", *options)] == ids


@pytest.mark.parametrize("options", [["--state", "gone"], ["--incident", "7"], ["--since", "soon"]])
def test_what_cannot_be_asked_for_is_said(folder, options):
    done = run(folder, "list", *options, code=2)
    assert options[1] in done.stderr


def test_without_a_file_the_list_says_that_nobody_is_told(folder):
    (folder / "alerts.toml").unlink()
    assert "nobody is to be told" in run(folder, "list").stderr


def test_notices_are_sent_again_by_their_numbers_or_all_that_were_given_up(folder, database):
    store(database, ("ops", "delivered", 1), ("ops", "dead", 2), ("ops", "dead", 3))
    assert json.loads(run(folder, "send-again", 1).stdout) == {"sentAgain": 1}
    assert json.loads(run(folder, "send-again", "--all").stdout) == {"sentAgain": 2}
    assert [one["state"] for one in documents(folder, "list")] == ["pending"] * 3


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["1", "--all"], 2), (["1", "9"], 1)])
def test_what_cannot_be_sent_again_changes_nothing(folder, database, arguments, code):
    store(database, ("ops", "dead", 1))
    run(folder, "send-again", *arguments, code=code)
    assert [one["state"] for one in documents(folder, "list")] == ["dead"]


def test_a_target_is_tried(folder, receiver):
    assert "ops took the test message" in run(folder, "test", "ops").stdout
    (request,) = receiver.requests
    assert request.json["type"] == "test.ping"


def test_a_target_that_does_not_take_the_test_is_said_with_its_reason_and_no_secret(folder, receiver):
    receiver.answer(404)
    done = run(folder, "test", "ops", code=1)
    assert "404" in done.stderr
    assert "secret" not in done.stderr
    assert "There are ops" in run(folder, "test", "nobody", code=2).stderr


def test_a_file_is_checked_and_shown_without_secrets(folder):
    done = run(folder, "check")
    assert "target ops: webhook" in done.stdout
    assert "rule lone: from score 0.5 on, to ops" in done.stdout
    assert "secret" not in done.stdout
    other = folder / "other.toml"
    other.write_text("[targets.a]\n[[rules]]\n")
    done = run(folder, "check", other, code=2)
    assert f"{other}:1: targets a: has no kind" in done.stderr
    assert f"{other}:2: rules 1: has no name" in done.stderr
    assert "docs/howto/alerts.md" in run(folder, "check", folder / "none.toml", code=2).stderr


def test_rules_are_tried_on_history(folder, database):
    uids = alarming.create(database, ["web.0", "web.1", "dns.0"])
    begin = int(time.time()) - alarming.BEGIN - 86_400
    for name, after_s in (("web.0", 0), ("web.1", 1), ("dns.0", 20_000)):
        alarming.alarm(database, uids[name], begin + after_s)
    alarming.work(alarming.writer(database, clock=time.time))
    done = run(folder, "preview", "--since", "2d")
    assert "would have told of 2 incidents in the last 2 d" in done.stdout
    assert done.stdout.splitlines()[-1].split()[2:4] == ["i1", "all"]
    (preview,) = documents(folder, "preview")
    assert [(one["incident"], one["rule"], one["targets"]) for one in preview["messages"]] == [
        ("i1", "all", ["ops"]),
        ("i2", "lone", ["ops"]),
    ]
    assert (folder / "only.toml").write_text(
        (folder / "alerts.toml").read_text().partition("[[rules]]")[0]
        + '[[rules]]\nname = "x"\nmatch = "db.*"\n'
    )
    assert "of 0 incidents" in run(folder, "preview", "--file", folder / "only.toml").stdout
