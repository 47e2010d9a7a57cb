"""Every command as people type it, on one engine that runs all the time."""

import csv
import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from htmengine.bus import Outgoing
from htmengine.bus.embedded.bus import EmbeddedBus
from htmengine.htm.params import parameter_set, to_model_config
from htmengine.runtime.anomaly_service import AnomalyService
from tests.acceptance.engine import TIMEOUT_S, Folder, expected_scores, lines, python, wait_until

pytestmark = pytest.mark.acceptance

SAMPLE = Path(__file__).parents[2] / "examples" / "sample" / "requests.csv"
RULES = """
[quiet]
pattern = quiet.*
action = ignore

[everything]
pattern = *
action = monitor
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = Folder(tmp_path_factory.mktemp("engine") / "data")
    (folder.path / "monitor-rules.conf").write_text(RULES)
    with folder.up():
        yield folder


def report(engine, name, code=0):
    """Return what doctor says of a metric."""
    (found,) = engine.json("doctor", name, "--json", code=code)["metrics"]
    return found


def send_and_wait(engine, name, count, **options):
    sent = lines(name, count, **options)
    engine.cli("send", data="\n".join(sent))
    engine.wait_for_scores(name, count)
    return sent


# -- replay


def test_a_replay_is_scored_as_by_detect_and_live_samples_follow_behind_it(engine, tmp_path):
    header, *history = SAMPLE.read_text().splitlines()
    live = [f"2024-04-01T00:{5 * minute:02}:00Z,{150 + minute}" for minute in range(5)]
    whole = tmp_path / "whole.csv"
    whole.write_text("\n".join([header, *history, *live]) + "\n")

    engine.cli("monitor", "web.requests")
    pipe = tmp_path / "history.csv"
    os.mkfifo(pipe)
    replay = python("-m", "htmengine.cli", "replay", pipe, "--metric", "web.requests", "--data", engine.path)
    with pipe.open("w") as stream:
        stream.write("\n".join([header, *history[:3000]]) + "\n")
        stream.flush()
        begun = "SELECT 1 FROM backfill WHERE name = ?"
        wait_until(lambda: engine.select(begun, "web.requests"), "that the backfill has begun")
        seconds = 1711929600  # 2024-04-01
        engine.send([f"web.requests {150 + minute} {seconds + 300 * minute}" for minute in range(5)])
        held = wait_until(
            lambda: (
                (found := report(engine, "web.requests"))
                and "5 live samples will follow" in found["why"]
                and found
            ),
            "that live samples are held",
        )
        assert held["stored"] == 0
        stream.write("\n".join(history[3000:]) + "\n")
    output, errors = replay.communicate(timeout=TIMEOUT_S)
    assert json.loads(output) == {
        **{"metric": "web.requests", "sent": 8064, "missing": 0, "skipped": 0},
        "refused": {},
    }, errors
    engine.wait_for_scores("web.requests", 8069)

    detected = tmp_path / "scores.csv"
    subprocess.run(
        [sys.executable, "-m", "htmengine.cli", "detect", whole, "--out", detected],
        check=True,
        capture_output=True,
    )
    with detected.open(newline="") as file:
        expected = [
            (
                rowid,
                *(float(row[name]) for name in ("value", "raw_anomaly_score", "anomaly_score", "log_score")),
            )
            for rowid, row in enumerate(csv.DictReader(file), 1)
        ]
    assert len(expected) == 8069
    assert engine.stored_scores("web.requests") == expected


@pytest.mark.slow
def test_the_same_replay_again_is_harmless_and_waiting_tells_what_is_stored(engine, tmp_path):
    file = tmp_path / "history.csv"
    file.write_text("timestamp,value\n" + "".join(f"{60 * row},{row % 7}\n" for row in range(300)))
    for refused in ({}, {"stored already": 300}):
        answer = engine.json("replay", file, "--metric", "again", "--wait", "--monitor")
        assert answer == {
            **{"metric": "again", "sent": 300, "missing": 0, "skipped": 0},
            **{"refused": refused, "stored": 300, "scored": 300},
        }
    assert engine.fails("replay", tmp_path / "nowhere.csv", "--metric", "again", code=2).startswith(
        f"{tmp_path / 'nowhere.csv'}: cannot be read"
    )


@pytest.mark.slow
def test_samples_that_a_replay_cannot_store_are_counted_with_the_reason(engine, tmp_path):
    file = tmp_path / "fast.csv"
    file.write_text("time,value\n" + "".join(f"{1_600_000_000 + row / 5},{row % 7}\n" for row in range(100)))
    done = engine._run("replay", file, "--metric", "fast", "--wait")
    answer = json.loads(done.stdout)
    (reason,) = answer["refused"]
    assert (answer["sent"], answer["stored"], answer["refused"][reason]) == (100, 20, 80)
    assert f"80 of 100 samples are refused: {reason}." in done.stderr
    assert "a metric has one a second" in reason
    assert done.returncode == 1
    sent = engine._run("send", "fast 1 1500000000", "fast 1 1600000000", "fast 2 1700000000")
    assert json.loads(sent.stdout)["refused"] == {
        "the metric has a later sample already": 1,
        "stored already": 1,
    }
    assert sent.returncode == 1


# -- monitor, unmonitor


def test_a_metric_is_monitored_by_hand_and_unmonitored_again(engine):
    sent = lines("quiet.load", 120)
    engine.cli("send", data="\n".join(sent))
    engine.wait_for_rows("quiet.load", 120)
    assert report(engine, "quiet.load")["why"].startswith(
        "Samples are stored, but the metric is not monitored"
    )
    assert "not monitored: [quiet] of" in report(engine, "quiet.load")["why"]
    assert engine.metric("quiet.load")["status"] == "unmonitored"

    assert engine.json("monitor", "quiet.load")["samples"] == 120
    engine.wait_for_scores("quiet.load", 120)
    assert engine.stored_scores("quiet.load") == expected_scores(sent)
    assert "has a model already" in engine.fails("monitor", "quiet.load")

    assert engine.json("unmonitor", "quiet.load")["status"] == "unmonitored"
    assert "its model was deleted" in report(engine, "quiet.load")["why"]
    assert {row[2:] for row in engine.stored_scores("quiet.load")} == {(None, None, None)}
    assert engine.json("monitor", "quiet.load")["samples"] == 120
    engine.wait_for_scores("quiet.load", 120)
    assert engine.stored_scores("quiet.load") == expected_scores(sent)
    assert report(engine, "quiet.load")["generation"] == 1


@pytest.mark.slow
def test_a_model_that_needs_a_range_waits_for_rows_and_starts_by_itself(engine):
    sent = lines("quiet.waits", 288)
    engine.cli("send", data="\n".join(sent[:280]))
    engine.wait_for_rows("quiet.waits", 280)
    assert engine.json("monitor", "quiet.waits", "--model", "nupic-tm")["status"] == "pending data"
    assert "waits for 8 more samples" in report(engine, "quiet.waits")["why"]
    engine.cli("send", data="\n".join(sent[280:]))
    engine.wait_for_scores("quiet.waits", 288)
    assert engine.metric("quiet.waits")["status"] == "active"


@pytest.mark.slow
def test_a_model_with_a_range_given_starts_at_once(engine):
    assert (
        engine.json("monitor", "ranged", "--min", 0, "--max", 100, "--model", "nupic-tm")["status"]
        != "pending data"
    )
    send_and_wait(engine, "ranged", 5)
    engine.fails("monitor", "other", "--min", 0, code=2)
    engine.fails("monitor", "other", "--model", "gpt", code=2)
    engine.fails("monitor", "other", "--params-json", "{", code=2)
    assert engine.metric("other") == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "params", "steps"),
    [
        ("one", {"modelParams": {"min": 0, "max": 100, "enableClassifier": True}}, {"1"}),
        ("many", {"completeModelParams": "predicting 1 and 5 steps"}, {"1", "5"}),
    ],
)
def test_predictions_that_are_asked_for_are_stored_and_published(engine, name, params, steps):
    if "completeModelParams" in params:
        predicting = params_of_nupic(predict=(1, 5))
        params = {"completeModelParams": {**predicting, "timestampFieldName": "c0", "valueFieldName": "c1"}}
    name = f"quiet.predicted.{name}"
    with closing(EmbeddedBus(engine.path / "bus.sqlite")) as bus:
        bus.declare_queue(name)
        bus.bind(name, "htmengine.model.results")
        engine.cli("monitor", name, "--params-json", json.dumps(params))
        sent = send_and_wait(engine, name, 40)
        stored = engine.select(
            "SELECT multi_step_best_predictions FROM metric_data JOIN metric USING (uid) WHERE name = ? ORDER BY rowid",
            name,
        )
        predictions = [json.loads(text) for (text,) in stored]
        assert set(predictions[-1]) == steps
        assert all(0 <= value <= 100 for value in predictions[-1].values())
        # The documented messages, as an application reads them.
        rows, defined = [], []
        with bus.consume([name]) as consumer:
            while len(rows) < len(sent):
                deliveries = wait_until(
                    lambda: consumer.receive(max_messages=100, timeout_s=0.1), "results on the exchange"
                )
                for delivery in deliveries:
                    message = AnomalyService.deserializeModelResult(delivery.body)
                    if delivery.headers.get("dataType") == "model-cmd-result":
                        defined.append(message)
                    elif message["metric"]["name"] == name:
                        rows += message["results"]
                consumer.ack(deliveries)
        bus.delete_queue(name)
    assert [row["rowid"] for row in rows] == list(range(1, 41))
    assert [row["ts"] for row in rows] == [int(line.split()[2]) for line in sent]
    assert [row["multiStepBestPredictions"] for row in rows] == predictions
    (answer,) = [message for message in defined if message["modelInfo"]["metricName"] == name]
    assert (answer["method"], answer["status"]) == ("defineModel", 0)


def params_of_nupic(**options):
    config, arguments = to_model_config(parameter_set("nupic", minimum=0.0, maximum=100.0, **options))
    return {"modelConfig": config, "inferenceArgs": arguments}


def test_unmonitoring_what_is_not_there_is_told(engine):
    assert "no metric of this name" in engine.fails("unmonitor", "nobody", code=2)


@pytest.mark.slow
def test_metrics_of_a_pattern_are_monitored_shown_and_deleted_while_samples_come(engine):
    names = [f"quiet.many.{number}" for number in range(4)]
    sent = [line for name in names for line in lines(name, 30)]
    engine.cli("send", data="\n".join(sent))
    for name in names:
        engine.wait_for_rows(name, 30)
    answer = engine.json("monitor", "quiet.many.[0-2]")
    assert [one["metric"] for one in answer] == names[:3]
    for name in names[:3]:
        engine.wait_for_scores(name, 30)
    shown = engine.json("results", "quiet.many.*", "--json", "--limit", 1000)
    assert {row["metric"] for row in shown} == set(names[:3])
    assert len(engine.json("metrics", r"quiet\.many\.\d", "--regex", "--json")) == 4

    assert "Nobody can be asked" in engine.fails("delete", "quiet.many.*", code=2)
    more = [line for name in names for line in lines(name, 400, first=30)]
    engine.send(more[: len(more) // 2])
    engine.cli("delete", "quiet.many.*", "--yes")
    engine.send(more[len(more) // 2 :])
    engine.wait_for_rows(names[3], 400)
    engine.settles()
    uids = {uid for (uid,) in engine.select("SELECT uid FROM metric")}
    for table in ("metric_data", "metric_alarm", "metric_hour"):
        assert {uid for (uid,) in engine.select(f"SELECT DISTINCT uid FROM {table}")} <= uids
    assert engine.json("doctor", "--json")["deadLetters"] == 0
    assert engine.fails("delete", names[3], "nobody.*", code=2).startswith("nobody.*: fits no metric's name")
    engine.cli("delete", "quiet.many.*", "--yes")
    assert not engine.select("SELECT name FROM metric WHERE name LIKE 'quiet.many.%'")


# -- send, metrics, results


def test_a_wrong_line_is_told_and_nothing_is_sent(engine):
    message = engine.fails("send", "sent.a 1 1600000000", "sent.b one 1600000000", code=2)
    assert "Line 2" in message
    assert "Nothing was sent" in message
    assert "too far in the future" in engine.fails("send", "sent.a 1 99999999999", code=2)
    assert engine.metric("sent.a") == {}


def test_a_sample_without_a_timestamp_is_of_now(engine):
    before = int(time.time())
    engine.cli("send", "sent.now 1.5")
    engine.wait_for_scores("sent.now", 1)
    assert before <= engine.metric("sent.now")["lastTimestamp"] <= time.time()


def test_metrics_and_results_are_listed_for_people_and_for_programs(engine):
    send_and_wait(engine, "listed", 30)
    assert "listed" in engine.cli("metrics", "listed", "again-not", code=2)
    assert "again-not: there is no metric of this name" in engine.advice
    rows = engine.json("results", "listed", "--limit", 3, "--json")
    assert [row["rowid"] for row in rows] == [28, 29, 30]
    assert [row["logScore"] for row in rows] == [row[4] for row in engine.stored_scores("listed")[-3:]]
    text = engine.cli("results", "listed", "--limit", 3)
    assert text.splitlines()[1].startswith("2020-09-13 12:")
    assert engine.cli("results", "listed", "--min-score", 1, "--json") == ""
    assert "no metric of this name" in engine.fails("results", "nobody", code=2)


# -- export, import


@pytest.mark.slow
def test_a_metric_moves_to_another_installation_with_its_samples(engine, tmp_path):
    sent = send_and_wait(engine, "moves", 80)
    engine.cli("export", "moves", "--out", tmp_path / "moves.json")
    engine.cli("export", "moves", "--out", tmp_path / "rows.csv")
    header, *rows = (tmp_path / "rows.csv").read_text().splitlines()
    assert header.startswith("timestamp,value,raw_anomaly_score,")
    assert len(rows) == 80
    other = Folder(tmp_path / "other")
    assert "no engine has run" in other.fails("import", tmp_path / "moves.json", code=2)
    with other.up():
        assert other.json("import", tmp_path / "moves.json")["samples"] == 80
        other.wait_for_scores("moves", 80)
        assert other.json("import", "-", data=engine.cli("export", "moves"))["samples"] == 80
        other.settles()
    assert other.stored_scores("moves") == expected_scores(sent)
    assert "is not what `htmengine export` writes" in engine.fails("import", "-", data="{}", code=2)


# -- status, doctor


def test_status_shows_what_every_service_counts(engine):
    send_and_wait(engine, "counted", 20)
    engine.send_datagram([b"\xff 1 1600000000", b"counted.udp 1 1600000000"])
    engine.wait_for_scores("counted.udp", 1)

    def counted():
        services = engine.json("status", "--json")["services"]
        counts = {service["name"]: service["counters"] for service in services if service["alive"]}
        return (
            counts.keys() >= {"metric_listener", "udp_listener", "incidents", "alerts", "web"}
            and counts["metric_storer"].get("rows_stored", 0) >= 21
            and counts["model_scheduler"].get("rows_scored", 0) >= 21
            and counts["anomaly_service"].get("scores_stored", 0) >= 21
            and counts["udp_listener"].get("rejected", {}).keys() == {"graphite-udp: the line is not UTF-8"}
        )

    wait_until(counted, "reports")
    text = engine.cli("status")
    assert "scores stored " in text
    assert "rows scored " in text
    assert "the line is not UTF-8, for example '\\\\xff 1 1600000000'" in text


def test_doctor_says_why_there_is_no_score_yet(engine):
    engine.settles()  # else it might be among what waits
    unknown = report(engine, "never.sent", code=1)
    assert unknown["needsAttention"]
    assert unknown["why"].startswith("No sample of never.sent has ever arrived")
    engine.cli("monitor", "silent")
    assert "no sample has been stored yet" in report(engine, "silent", code=1)["why"]
    send_and_wait(engine, "young", 3)
    young = report(engine, "young")
    assert (young["stored"], young["scored"], young["unscored"], young["modelRows"]) == (3, 3, 0, 3)
    assert "The model has seen 3 and is young" in young["why"]
    engine.send(["never.stored 1 soon"])
    wait_until(
        lambda: "not a number of seconds" in report(engine, "never.stored", code=None)["why"],
        "the line's reason",
    )
    assert report(engine, "never.stored", code=1)["needsAttention"]


# -- dead letters


def test_dead_letters_are_listed_shown_sent_again_and_discarded(engine):
    queue = "htmengine.metric.custom.data"
    bodies = [b"no JSON", json.dumps({"protocol": "pigeon", "data": []}).encode()]
    with closing(EmbeddedBus(engine.path / "bus.sqlite")) as bus:
        bus.publish([Outgoing(queue, body) for body in bodies])

    def dead(count):
        return wait_until(
            lambda: (letters := listed(engine)) and len(letters) == count and letters, f"{count} dead letters"
        )

    first, second = dead(2)
    assert first["queue"] == queue
    assert first["reason"].startswith("not lines of metric data")
    assert "pigeon" in engine.cli("dead", "list")
    shown = engine.json("dead", "show", second["id"])
    assert shown["body"] == {"protocol": "pigeon", "data": []}
    assert '"pigeon" is not known' in shown["reason"]
    report = engine.json("doctor", "--json", code=1)
    assert "2 dead letters" in "".join(report["findings"])
    assert [one["name"] for one in report["services"] if one["deadLetters"] == 2] == ["metric_storer"]

    assert engine.json("dead", "requeue", first["id"]) == {"requeued": 1}
    wait_until(lambda: listed(engine)[-1]["id"] > second["id"], "that it dies again")
    assert engine.json("dead", "discard", second["id"]) == {"discarded": 1}
    assert engine.json("dead", "discard", "--all") == {"discarded": 1}
    assert listed(engine) == []
    engine.fails("dead", "show", second["id"], code=2)
    assert f"{second['id']}, 999999999: there is no" in engine.fails(
        "dead", "requeue", 999_999_999, second["id"], code=2
    )
    engine.fails("dead", "requeue", code=2)


def listed(engine):
    return [json.loads(line) for line in engine.cli("dead", "list", "--json").splitlines()]


# -- verify, db upgrade


def test_verify_names_what_is_wrong(engine, tmp_path):
    send_and_wait(engine, "whole", 20)
    engine.settles()
    report = engine.json("verify", "--settled", "--json")
    assert report["findings"] == []
    assert report["rows"] >= 20
    broken = Folder(tmp_path / "broken")
    for file in ("repository.sqlite", "bus.sqlite"):
        with (
            closing(sqlite3.connect(engine.path / file)) as source,
            closing(sqlite3.connect(broken.path / file)) as copy,
        ):
            source.backup(copy)
    with closing(sqlite3.connect(broken.path / "repository.sqlite")) as database, database:
        database.execute(
            "DELETE FROM metric_data WHERE rowid = 7 AND uid = (SELECT uid FROM metric WHERE name = 'whole')"
        )
    assert broken.cli("verify", code=1).startswith("whole: 19 rows are stored from 1 to 20: some are missing")


def test_a_configuration_that_is_written_by_init_runs_as_it_says(tmp_path):
    app = tmp_path / "app"
    subprocess.run([sys.executable, "-m", "htmengine.cli", "init", app, "--name", "traffic"], check=True)
    settings = app / "conf" / "application.conf"
    settings.write_text(settings.read_text().replace("profiling = false", "profiling = true"))
    checked = json.loads(
        subprocess.check_output([sys.executable, "-m", "htmengine.cli", "config", "check", app / "conf"])
    )
    assert checked["results_exchange"] == "traffic.model.results"
    folder = Folder(app / "data", config=app / "conf")
    with folder.up():
        sent = send_and_wait(folder, "web.load", 50)
        folder.settles()
        assert folder.select("SELECT name FROM queue WHERE name LIKE 'htmengine%'", file="bus.sqlite") == []
    assert folder.stored_scores("web.load") == expected_scores(sent)
    assert "metric_storer.batch" in folder.log.read_text()


def test_a_repository_is_made_by_hand_and_upgraded_twice(tmp_path):
    folder = Folder(tmp_path / "data")
    for _ in range(2):
        assert folder.json("db", "upgrade") == {"upgraded": True, "shards": 1}
    assert sorted(folder.select("SELECT name FROM lock")) == [("alarms",), ("metrics",), ("teachings",)]


# -- A demonstration


@pytest.mark.slow
def test_the_demonstration_finds_the_cascade_that_it_puts_in(tmp_path):
    folder = Folder(tmp_path / "demo")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "htmengine.cli", "up", "--demo", "--seconds", "10"),
            *("--data", folder.path, "--port", str(folder.port)),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT_S,
    )
    answer = json.loads(done.stdout)
    assert 2 <= answer["anomalies"] <= 5
    assert answer["found"] >= 2
    assert "<-- anomaly" in done.stderr


@pytest.mark.slow
def test_a_newcomer_has_scores_of_this_machine_without_an_agent(tmp_path):
    folder = Folder(tmp_path / "own")
    subprocess.run(
        [
            *(sys.executable, "-m", "htmengine.cli", "up", "--self", "--seconds", "15"),
            *("--data", folder.path, "--port", str(folder.port)),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT_S,
    )
    listed = [json.loads(line) for line in folder.cli("metrics", "--json").splitlines()]
    scored = {metric["metric"].split(".", 1)[1]: metric["scored"] for metric in listed}
    assert scored["memory.used_percent"] >= 2
    assert scored["system.context_switches_per_s"] >= 1


@pytest.mark.slow
def test_the_machine_is_measured_on_the_disk_of_the_data_and_nothing_of_it_stays(tmp_path):
    folder = Folder(tmp_path / "data")
    found = json.loads(folder.cli("capacity", "--seconds", "5", "--json"))
    measured = found["measured"]
    assert measured["samplesPerSecond"] > 0
    assert measured["cpuUsPerSample"] > 0
    assert measured["bytesPerRow"] > 0
    assert [promise["intervalS"] for promise in found["promises"]] == [10, 60, 300]
    assert not measured["besideEngine"]
    assert [path.name for path in folder.path.iterdir() if path.name.startswith("capacity")] == [
        "capacity.json"
    ]
    assert folder.json("status", "--json")["totals"]["metrics"] == 0


@pytest.mark.slow
def test_metrics_are_listed_in_pages(tmp_path):
    folder = Folder(tmp_path / "data")
    with folder.up():
        folder.send([f"{name} 1 1600000000" for name in ("a", "b.x", "b.y", "c")])
        wait_until(lambda: folder.select("SELECT count(*) FROM metric") == [(4,)], "four metrics")

    def listed(*arguments):
        return [
            json.loads(line)["metric"] for line in folder.cli("metrics", "--json", *arguments).splitlines()
        ]

    assert listed("--limit", "2") == ["a", "b.x"]
    assert listed("--limit", "2", "--after", "b.x") == ["b.y", "c"]
    assert listed("--after", "b.y") == ["c"]
    assert listed("b.*", "--limit", "1") == ["b.x"]
    assert listed("b.*", "--after", "b.x") == ["b.y"]
