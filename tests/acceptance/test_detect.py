"""`htmengine detect` as people run it: a process, files, pipes."""

import csv
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.acceptance

SAMPLE = Path(__file__).parents[2] / "examples" / "sample" / "requests.csv"


def htmengine(*arguments, stdin=subprocess.DEVNULL, data=None, code=0):
    options = {"input": data} if data is not None else {"stdin": stdin}
    done = subprocess.run(
        [sys.executable, "-m", "htmengine.cli", *map(str, arguments)],
        capture_output=True,
        check=False,
        **options,
    )
    assert done.returncode == code, done.stderr.decode()
    return done


def document(*arguments, **options):
    return json.loads(htmengine("detect", "--json", *arguments, **options).stdout)


def test_the_sample_is_scored_and_its_anomalies_are_found():
    result = document(SAMPLE)
    assert (result["rows"], result["scored"], result["bad"]["count"]) == (8064, 8064, 0)
    peaks = [incident["peak"]["timestamp"] for incident in result["incidents"]]
    assert any(peak.startswith("2024-03-19T10:") for peak in peaks)  # the spike
    assert any(peak.startswith("2024-03-21T14:") for peak in peaks)  # the dip to zero


def test_a_file_a_pipe_a_redirection_and_gzip_give_the_same_result(tmp_path):
    expected = document(SAMPLE)
    packed = tmp_path / "requests.csv.gz"
    packed.write_bytes(gzip.compress(SAMPLE.read_bytes()))
    with SAMPLE.open("rb") as redirected:
        results = [
            document(packed),
            document("-", data=SAMPLE.read_bytes()),
            document(data=SAMPLE.read_bytes()),
            document(stdin=redirected),
        ]
    for result in results:
        assert result | {"input": None} == expected | {"input": None}


def test_the_same_run_twice_writes_the_same_bytes(tmp_path):
    for name in ("one.csv", "two.csv"):
        htmengine("detect", SAMPLE, "--out", tmp_path / name)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_bad_rows_do_not_change_the_scores_of_the_others(tmp_path):
    lines = SAMPLE.read_bytes().splitlines()
    dirty = [*lines[:500], b'"never closed', b"\x00\xff\xfe", b"2024", b"," * 40, *lines[500:]]
    source = tmp_path / "dirty.csv"
    source.write_bytes(b"\n".join(dirty))
    result = document(source, "--out", tmp_path / "dirty_scores.csv")
    htmengine("detect", SAMPLE, "--out", tmp_path / "scores.csv")
    assert result["bad"]["count"] == 3  # the line of delimiters is blank
    assert [row["line"] for row in result["bad"]["first"]] == [501, 502, 503]
    assert (tmp_path / "dirty_scores.csv").read_bytes() == (tmp_path / "scores.csv").read_bytes()


def test_results_go_to_stdout_and_advice_to_stderr(tmp_path):
    source = tmp_path / "bad.csv"
    source.write_bytes(SAMPLE.read_bytes() + b"junk\n")
    done = htmengine("detect", source)
    assert b"junk" not in done.stdout
    assert b"line 8066: 1 field instead of 2" in done.stderr


def test_a_missing_file_is_told_in_two_lines(tmp_path):
    done = htmengine("detect", tmp_path / "nowhere.csv", code=2)
    assert b"cannot be read: No such file" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_the_version_is_shown():
    assert htmengine("--version").stdout.startswith(b"htmengine")


def test_a_reader_that_goes_away_is_no_accident(tmp_path):
    command = f"{sys.executable} -m htmengine.cli detect --json {SAMPLE} | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr


def test_help_does_not_wait_for_libraries_that_only_work_needs():
    command = [sys.executable, "-X", "importtime", "-m", "htmengine.cli", "detect", "--help"]
    done = subprocess.run(command, capture_output=True, check=True)
    imported = {line.rpartition(b"|")[2].strip().decode() for line in done.stderr.splitlines()}
    assert "htmengine.cli" in imported
    assert not imported & {"numpy", "sqlalchemy", "pika", "htmengine.htm._kernels"}


def test_on_a_terminal_without_input_there_is_advice_instead_of_waiting():
    try:
        leader, follower = os.openpty()
    except OSError as error:
        pytest.skip(f"no pseudo-terminal can be opened here: {error.strerror}")
    try:
        done = htmengine("detect", stdin=follower, code=2)
    finally:
        os.close(leader)
        os.close(follower)
    assert b"nothing to read" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
@pytest.mark.parametrize("arguments", [("--help",), ("detect", "--json", SAMPLE), ("detect", SAMPLE)])
def test_a_full_disk_behind_a_redirected_output_is_told(arguments):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "htmengine.cli", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == [
        "The output cannot be written: No space left on device.",
        "Make room, or send it elsewhere.",
    ]
    assert "Traceback" not in done.stderr


def test_the_page_over_a_result_shows_what_detect_found_and_ends_with_nothing_left(tmp_path):
    out = tmp_path / "scores.csv"
    process = subprocess.Popen(
        [sys.executable, "-m", "htmengine.cli", "detect", SAMPLE, "--serve", "--json", "--out", out],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    try:
        site, uid = next(
            found.groups()
            for line in process.stderr
            if (found := re.search(r"Open (http://127\.0\.0\.1:\d+/)m/(\w+)", line))
        )

        def answer(path):
            with urllib.request.urlopen(f"{site}{path}", timeout=60) as response:
                return response.read()

        alarms = json.loads(answer(f"api/v1/metrics/{uid}/alarms?limit=1000"))["items"]
        calm = json.loads(answer(f"api/v1/metrics/{uid}/explain/5000"))
        page = answer(f"m/{uid}")
        process.send_signal(signal.SIGTERM)
        stdout, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    with out.open() as file:
        rows = list(csv.DictReader(file))
    anomalous = [row for row in rows if float(row["log_score"] or 0) >= 0.5]
    assert calm["log_score"] == float(rows[4999]["log_score"])
    assert process.returncode == 0
    assert b"<html" in page
    assert sorted(alarm["log_score"] for alarm in alarms) == sorted(
        float(row["log_score"]) for row in anomalous
    )
    assert json.loads(stdout)["rows"] == 8064
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]
