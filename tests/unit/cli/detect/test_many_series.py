import csv
import json

import pytest
from typer.testing import CliRunner

from htmengine.cli.app import app
from htmengine.detection import scoring
from tests.unit.detection.fake_model import FakeModel

START = 1404172800


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.setattr(scoring, "Model", FakeModel)
    monkeypatch.chdir(tmp_path)

    def run(*arguments, code=0):
        outcome = CliRunner().invoke(app, ["detect", *map(str, arguments)])
        assert outcome.exit_code == code, outcome.output
        return outcome

    return run


def stacked(hosts="abc", rows=200, hot=()):
    lines = [
        f"{START + 300 * i},{host},{2000 if (host, i) in hot else i % 50}"
        for i in range(rows)
        for host in hosts
    ]
    return "time,host,value\n" + "\n".join(lines) + "\n"


def single(rows=200, hot=None):
    return "time,value\n" + "".join(
        f"{START + 300 * i},{2000 if i == hot else i % 50}\n" for i in range(rows)
    )


def test_of_a_file_of_several_series_one_is_scored_and_its_json_keeps_its_shape(run, tmp_path):
    (tmp_path / "hosts.csv").write_text(stacked())
    outcome = run("hosts.csv", "--json")
    document = json.loads(outcome.stdout)
    assert (document["input"], document["rows"], document["scored"]) == ("hosts.csv", 200, 200)
    assert document["columns"]["value"] == {"number": 3, "name": "value"}
    assert "told apart by 'host' (column 2)" in document["notes"][0]
    assert document["notes"][0] in outcome.stderr


def test_each_series_is_scored_and_the_worst_comes_first(run, tmp_path):
    (tmp_path / "hosts.csv").write_text(stacked(hot={("c", 100), ("b", 50), ("b", 90)}))
    outcome = run("hosts.csv", "--by", "host")
    assert "3 series scored, 2 with incidents at or above log score 0.5, the worst first:" in outcome.stdout
    listed = [line.split()[1:4] for line in outcome.stdout.splitlines() if "host=" in line]
    assert listed == [["host=b", "200", "2"], ["host=c", "200", "1"], ["host=a", "200", "0"]]
    documents = json.loads(run("hosts.csv", "--by", "host", "--json").stdout)["series"]
    assert [document["input"].split(": ")[1] for document in documents] == ["host=b", "host=c", "host=a"]


def test_one_series_can_be_chosen(run, tmp_path):
    (tmp_path / "hosts.csv").write_text(stacked(hot={("c", 100)}))
    document = json.loads(run("hosts.csv", "--where", "host=c", "--json").stdout)
    assert [row["value"] for row in document["anomalies"]] == [2000.0]
    assert "Give a column and a cell" in run("hosts.csv", "--where", "host", code=2).stderr


def test_files_and_folders_are_scored_and_one_that_cannot_be_read_costs_no_other(run, tmp_path):
    folder = tmp_path / "exports"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.csv").write_text(single())
    (folder / "deep" / "b.csv").write_text(single(hot=77))
    (folder / "notes.txt").write_text("nothing to see\n")
    (folder / ".hidden.csv").write_text(single())
    (tmp_path / "c.csv").write_text(single())
    found = json.loads(run("exports", "c.csv", "--json").stdout)
    assert [document["input"] for document in found["series"]] == [
        "exports/deep/b.csv",
        "exports/a.csv",
        "c.csv",
    ]
    assert [failed["input"] for failed in found["failed"]] == ["exports/notes.txt"]
    outcome = run("exports/notes.txt", "c.csv", code=2)  # who names a file means it
    assert "1 series scored" in outcome.stdout
    assert "exports/notes.txt: there are no rows" in outcome.stderr


def test_an_empty_folder_is_refused(run, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "the folder holds no files" in run("empty", code=2).stderr


def test_rows_of_many_series_are_written_to_one_file_with_their_names(run, tmp_path):
    (tmp_path / "hosts.csv").write_text(stacked(hosts=['a "b"', "c"], rows=30))
    run("hosts.csv", "--by", "host", "--out", "scores.csv")
    rows = list(csv.DictReader((tmp_path / "scores.csv").read_text().splitlines()))
    assert [row["series"] for row in rows] == ['hosts.csv: host=a "b"'] * 30 + ["hosts.csv: host=c"] * 30
    assert "timestamp" in rows[0]
    assert "--plot draws one series" in run("hosts.csv", "--by", "host", "--plot", "x.html", code=2).stderr


def test_a_second_pass_is_said_to_look_ahead_and_keeps_the_times_of_the_file(run, tmp_path):
    (tmp_path / "one.csv").write_text(single(hot=77))
    outcome = run("one.csv", "--passes", "2", "--json")
    document = json.loads(outcome.stdout)
    assert document["passes"] == 2
    assert document["incidents"][0]["peak"]["timestamp"] == "2014-07-01T06:25:00Z"
    assert "these scores look ahead" in outcome.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tz", "Europe/Nowhere"], "--tz 'Europe/Nowhere' is not a time zone"),
        (["--every", "often"], "--every 'often' is no span of time"),
        (["--start", "soon"], "--start 'soon' is no time"),
    ],
)
def test_what_cannot_be_meant_is_told(run, tmp_path, options, message):
    (tmp_path / "one.csv").write_text(single())
    assert message in run("one.csv", *options, code=2).stderr


def test_a_name_as_it_is_shown_can_be_given(run, tmp_path):
    names = [r"\\PC1\Processor(_Total)\% Processor Time", r"\\PC1\Processor(_Total)\% Idle Time"]
    header = ",".join(f'"{name}"' for name in ["time", *names])
    (tmp_path / "perf.csv").write_text(
        header + "\n" + "".join(f"{START + 60 * i},{i % 7},{i % 9}\n" for i in range(99))
    )
    shown = run("perf.csv").stderr
    assert f"'{names[1]}'" in shown
    assert (
        json.loads(run("perf.csv", "--value", names[1], "--json").stdout)["columns"]["value"]["name"]
        == names[1]
    )
    assert f"2 '{names[0]}', 3 '{names[1]}'" in run("perf.csv", "--value", "idle", code=2).stderr
