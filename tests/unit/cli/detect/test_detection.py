import csv
import json
import re

import pytest
from typer.testing import CliRunner

from htmengine.cli.app import app
from htmengine.cli.detect import detection, report
from htmengine.detection import scoring
from htmengine.detection.result import Choice
from htmengine.errors import MisuseError
from htmengine.htm import params
from htmengine.series.options import Options
from tests.unit.detection.fake_model import FakeModel

HOT = (300, 301, 302, 700)  # rows above 1000


def series(rows=1000, hot=HOT):
    lines = [f"{1404172800 + 300 * i},{2000 + i if i in hot else i % 50}" for i in range(rows)]
    return "timestamp,value\n" + "\n".join(lines) + "\n"


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.setattr(scoring, "Model", FakeModel)
    path = tmp_path / "series.csv"

    def run(*options, data=None, code=0):
        path.write_text(series() if data is None else data)
        outcome = CliRunner().invoke(app, ["detect", str(path), *map(str, options)])
        assert outcome.exit_code == code, outcome.output
        return outcome

    return run


def test_the_table_shows_incidents_the_strongest_first(run):
    output = run().stdout
    assert "1,000 rows scored, 2014-07-01 00:00:00 to 2014-07-04 11:15:00 UTC." in output
    assert "2 incidents at or above log score 0.5, the strongest first:" in output
    first, second = re.findall(r"^ *\d +2014.*$", output, re.MULTILINE)
    shown = "1 2014-07-02 01:00:00 2,300 0.9000 1 in 12,000 0 to 50 2014-07-02 01:00:00 10 min 3 302"
    assert " ".join(first.split()) == shown
    assert second.split()[1:3] == ["2014-07-03", "10:20:00"]


@pytest.mark.parametrize(
    ("width", "left_out"),
    [
        (50, "Log score, Usual, Lasts, Line, Rows, Start (UTC)"),
        (80, "Rows, Start (UTC)"),
        (110, None),
    ],
)
def test_a_narrow_terminal_shows_whole_columns_and_names_those_it_has_no_room_for(
    run, monkeypatch, width, left_out
):
    monkeypatch.setattr(report, "_PIPE_WIDTH", width)
    outcome = run()
    table = outcome.stdout.splitlines()[2:]
    assert max(map(len, table)) <= width
    assert "…" not in outcome.stdout
    assert "2014-07-02 01:00:00  2,300" in outcome.stdout
    assert "1 in 12,000" in outcome.stdout
    if left_out:
        assert f"A wider window has room for more: {left_out}." in outcome.stderr
    else:
        assert outcome.stderr == ""


def test_if_no_row_reaches_the_threshold_this_is_said_and_the_strongest_are_shown(run):
    output = run("--threshold", 0.95).stdout
    assert "No row reaches log score 0.95" in output
    assert "none of them an anomaly" in output
    assert "2014-07-02 01:00:00" in output


def test_more_incidents_than_asked_for_are_counted(run):
    assert "1 more: see them with --top 2." in run("--top", 1).stdout


def test_the_json_document_holds_counts_columns_and_anomalies(run):
    data = series() + "junk\n1404472800,\n"
    document = json.loads(run("--json", "--seed", 7, data=data).stdout)
    assert (document["rows"], document["scored"], document["missing"]) == (1002, 1000, 1)
    assert document["bad"] == {"count": 1, "first": [{"line": 1002, "reason": "1 field instead of 2"}]}
    assert (document["parameters"], document["seed"]) == ("default", 7)
    assert document["columns"]["timestamp"] == {"number": 1, "name": "timestamp", "format": "epoch seconds"}
    assert document["columns"]["value"] == {"number": 2, "name": "value"}
    assert [row["line"] for row in document["anomalies"]] == [row + 2 for row in HOT]
    assert document["anomalies"][0] == document["incidents"][0]["peak"]
    assert document["anomalies"][0]["timestamp"] == "2014-07-02T01:00:00Z"
    assert document["incidents"][0]["duration_s"] == 600.0
    assert document["candidates"] == []
    peak = document["incidents"][0]["peak"]
    assert (peak["one_in"], peak["forecast"], peak["usual"]) == (12345.0, 25.0, [0.0, 50.0])


def test_what_is_not_known_yet_is_null_in_json_and_a_dash_in_the_table(run):
    data = series(hot=(5, 300))
    peak, early = (found["peak"] for found in json.loads(run("--json", data=data).stdout)["incidents"][::-1])
    assert (early["one_in"], early["forecast"], early["usual"]) == (None, None, None)
    assert peak["one_in"] == 12345.0
    shown = next(line for line in run(data=data).stdout.splitlines() if "2,005" in line)
    assert shown.split()[4:7] == ["0.9000", "-", "-"]


def test_of_few_rows_it_is_said_what_they_cannot_show_and_what_stands_out(run):
    lines = series(rows=240, hot=(300,)).splitlines()
    lines[10] = lines[10].split(",")[0] + ",904"
    data = "\n".join(lines)
    outcome = run(data=data)
    assert (
        "240 rows with a value: too few to learn what is usual. The first 31 cannot be anomalies"
        in outcome.stderr
    )
    assert "known from row 201 on" in outcome.stderr
    assert "No row reaches log score 0.5.\n" in outcome.stdout
    assert " ".join(outcome.stdout.splitlines()[-2].split()) == "2014-07-01 00:45:00 904 0.1904 - 11"
    (candidate,) = json.loads(run("--json", data=data).stdout)["candidates"]
    assert (candidate["line"], candidate["value"]) == (11, 904.0)


def test_bad_and_missing_rows_are_reported_with_their_lines(run):
    data = series() + "junk\n" * 7 + "1404472800,\n"
    errors = run(data=data).stderr
    assert "1 row without a value" in errors
    assert "7 bad rows skipped:\n  line 1002: 1 field instead of 2\n" in errors
    assert "and 2 more" in errors


def test_every_usable_row_is_written_with_its_scores(run, tmp_path):
    out = tmp_path / "scores.csv"
    run("--out", out, data=series() + "junk\n1404472800,\n")
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert len(rows) == 1001
    assert rows[300] == {
        "timestamp": "2014-07-02T01:00:00Z",
        "value": "2300.0",
        "raw_anomaly_score": "0.9",
        "anomaly_score": "0.999999999",
        "log_score": "0.9",
        "forecast": "25.0",
        "usual_low": "0.0",
        "usual_high": "50.0",
        "one_in": "12345.0",
    }
    assert {rows[5][name] for name in ("forecast", "usual_low", "usual_high", "one_in")} == {""}
    assert rows[-1] | {"timestamp": ""} == dict.fromkeys(rows[0], "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--params", "best"], "--params 'best' is not a parameter set"),
        (["--min", "5", "--max", "5"], "--min 5 is not below --max 5"),
        (["--seed", "-1"], "seed -1 is not within"),
        (["--value", "laod"], "--value 'laod' is not a column"),
        (["--out", "scores.xls"], "names no kind of file"),
        (["--plot", "plot.gif"], "names no kind of file"),
        (["--out", "nowhere/scores.csv"], "cannot be written"),
    ],
)
def test_a_misuse_is_told_in_two_lines_and_exits_with_2(run, options, message):
    outcome = run(*options, code=2)
    assert message in outcome.stderr
    assert len(outcome.stderr.strip().splitlines()) == 2
    assert outcome.stdout == ""


def test_a_file_without_usable_rows_exits_with_2(run):
    assert "series.csv" in run(data="time,value\n", code=2).stderr


def test_a_process_without_standard_input_is_told_to_name_a_file(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    request = detection.Request((), Options(), Choice(), None, None, False, 0, False)
    with pytest.raises(MisuseError, match="nothing to read"):
        detection.run(request)


def test_a_threshold_that_no_score_reaches_is_refused(run):
    assert "--threshold" in run("--threshold", 1.5, code=2).stderr


def test_the_input_is_never_overwritten(run, tmp_path):
    assert "is the input itself" in run("--out", tmp_path / "series.csv", code=2).stderr
    assert (tmp_path / "series.csv").read_text() == series()


def test_debug_shows_the_error_as_it_is(tmp_path):
    outcome = CliRunner().invoke(app, ["--debug", "detect", str(tmp_path / "nowhere.csv")])
    assert type(outcome.exception).__name__ == "MisuseError"


def test_nupic_sets_get_the_range_of_the_first_rows(monkeypatch, run):
    asked = []

    def parameter_set(name, **options):
        asked.append((name, options))
        return object()

    monkeypatch.setattr(params, "NAMES", ("default", "nupic"))
    monkeypatch.setattr(params, "parameter_set", parameter_set)
    run("--params", "nupic", "--max", 1000)
    low, _ = params.infer_range([float(i % 50) for i in range(params.ROWS_FOR_RANGE)])
    assert asked == [("nupic", {"minimum": low, "maximum": 1000.0, "seed": None})]


def test_the_default_set_is_left_to_find_its_range(monkeypatch, run):
    asked = []
    monkeypatch.setattr(params, "parameter_set", lambda name, **options: asked.append((name, options)))
    run()
    assert asked == [("default", {"minimum": None, "maximum": None, "seed": None})]


def test_the_day_and_the_time_of_day_may_stand_in_two_columns(run):
    data = "date,clock,value\n" + "".join(
        f"2014-07-0{i // 24 + 1},{i % 24}:00,{i % 50}\n" for i in range(200)
    )
    outcome = run("--json", data=data)
    assert "time of day from 'clock' (column 2)" in outcome.stderr
    document = json.loads(outcome.stdout)
    assert (document["from"], document["to"]) == ("2014-07-01T00:00:00Z", "2014-07-09T07:00:00Z")
    assert document["columns"]["time_of_day"] == {"number": 2, "name": "clock"}


@pytest.mark.parametrize("order", [lambda host, i: (i, host), lambda host, i: (host, i)])
def test_a_file_of_several_series_gets_advice(run, order):
    rows = sorted(((host, i) for host in "ab" for i in range(500)), key=lambda row: order(*row))
    data = "time,host,value\n" + "".join(f"{1404172800 + 300 * i},{host},{i % 50}\n" for host, i in rows)
    assert "The file holds 2 series, told apart by 'host' (column 2)" in run(data=data).stderr
