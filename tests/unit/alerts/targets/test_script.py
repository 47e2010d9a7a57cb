import json
import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from htmengine.alerts.targets.api import Delivered, Refused, Retry
from tests.unit.alerts.notices import notice
from tests.unit.alerts.targets.receiving import NASTY, made, nasty_notice, target_of


@pytest.fixture
def script(tmp_path):
    """Give what writes a program, and returns the target that runs it."""

    def write(text, settings="", environment=None):
        path = tmp_path / "notify"
        path.write_text(f"#!{sys.executable} -S\n{text}")
        path.chmod(0o755)
        return target_of(f'kind = "script"\ncommand = "./notify"\n{settings}', tmp_path, environment)

    return write


def test_a_program_gets_the_notice_on_its_input_and_in_its_environment(script, tmp_path):
    target = script(
        "import json, os, sys\n"
        "json.dump([sys.stdin.read(), dict(os.environ), os.getcwd()], open('got', 'w'))\n"
        "print('taken as 17')\n",
        environment={"PATH": "/usr/bin:/bin", "SECRET": "geheim"},
    )
    assert target.send(notice()) == Delivered("taken as 17")
    body, environment, folder = json.loads((tmp_path / "got").read_text())
    said = json.loads(body)
    assert (said["type"], said["data"]["incident"]["id"]) == ("incident.opened", "i7")
    assert folder == str(tmp_path)
    assert environment["HTMENGINE_ID"] == "i7.1"
    assert environment["HTMENGINE_KIND"] == "opened"
    assert environment["HTMENGINE_TITLE"] == "Warning: db.latency;dc=a and 1 other metric"
    assert environment["HTMENGINE_METRIC_COUNT"] == "2"
    assert environment["PATH"] == "/usr/bin:/bin"
    assert "SECRET" not in environment


def test_names_are_data_to_a_program(script, tmp_path):
    target = script(
        "import json, os, sys\njson.dump([json.load(sys.stdin), dict(os.environ)], open('got', 'w'))\n"
    )
    assert target.send(nasty_notice()) == Delivered()
    said, environment = json.loads((tmp_path / "got").read_text())
    assert said["data"]["incident"]["first_mover"] == NASTY
    for key in ("HTMENGINE_METRIC", "HTMENGINE_TITLE", "HTMENGINE_WHY"):
        assert environment[key].isprintable()
    assert environment["HTMENGINE_METRIC"].startswith('web;q="1"\\r\\nSubject: <script>')


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("sys.exit(65)", Refused("it exited with 65: no such pager")),
        ("sys.exit(1)", Retry("it exited with 1: no such pager")),
        ("sys.exit(75)", Retry("it exited with 75: no such pager")),
        ("os.kill(os.getpid(), 9)", Retry("it was killed by SIGKILL: no such pager")),
    ],
)
def test_what_a_program_exits_with_says_what_came_of_it(script, code, outcome):
    target = script(
        f"import os, sys\nprint('hello', flush=True)\nprint('no such pager', file=sys.stderr)\n{code}\n"
    )
    assert target.send(notice()) == outcome


def test_what_a_program_prints_is_shown_in_a_short_line(script):
    target = script("import sys\nprint('x' * 1_000_000)\nprint('\\x1b[31m' + 'y' * 1000)\nsys.exit(3)\n")
    reason = target.send(notice()).reason
    assert reason.startswith("it exited with 3: \\x1b[31myyy")
    assert len(reason) < 300


def wait_for_end(pid):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


CHILD = (
    "import os, subprocess, sys, time\n"
    "child = subprocess.Popen(['sleep', '600'])\n"
    "open('pid', 'w').write(str(child.pid))\n"
)


def test_a_program_that_takes_too_long_is_killed_with_all_that_it_started(script, tmp_path):
    target = script(CHILD + "time.sleep(600)\n", 'timeout = "0.5s"')
    while not (tmp_path / "pid").exists():  # on a busy machine it may not have come so far
        assert target.send(notice()) == Retry("it took longer than 0.5 s")
    assert wait_for_end(int((tmp_path / "pid").read_text()))


def test_what_a_program_leaves_behind_is_ended_and_not_waited_for(script, tmp_path):
    assert script(CHILD).send(notice()) == Delivered()
    assert wait_for_end(int((tmp_path / "pid").read_text()))


def test_a_program_that_reads_nothing_is_no_trouble(script):
    assert script("").send(nasty_notice()) == Delivered()


def test_a_program_that_vanished_is_tried_again(script, tmp_path):
    target = script("")
    (tmp_path / "notify").unlink()
    outcome = target.send(notice())
    assert isinstance(outcome, Retry)
    assert "cannot be run" in outcome.reason


def test_programs_are_found_in_the_path_with_their_arguments(tmp_path):
    target = target_of(
        'kind = "script"\ncommand = ["sh", "-c", "exit $1", "sh", "65"]',
        tmp_path,
        {"PATH": os.environ["PATH"]},
    )
    assert target.send(notice()) == Refused("it exited with 65")
    assert target.describe()["program"].endswith("/sh")


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ("", 'has no command; add for example command = ["/usr/local/bin/notify", "--all"]'),
        ('command = "./none"', 'command = "./none" names no program that can be run: /nowhere/none'),
        ('command = "no-such-program"', 'command = "no-such-program" names no program that can be run: no-such-program'),
        ("command = []", 'command = [] is no list of texts; write ["…", "…"]'),
        ('command = "sh"\ntimeout = "20s"', 'timeout = "20s" is not above 0, or more than 15s'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(settings, fault):
    target, faults = made(f'kind = "script"\n{settings}')
    assert target is None
    assert faults == [fault]


def test_a_folder_may_be_relative(tmp_path, monkeypatch):
    (tmp_path / "conf").mkdir()
    path = tmp_path / "conf" / "notify"
    path.write_text("#!/bin/sh\nexit 65\n")
    path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    target = target_of('kind = "script"\ncommand = "./notify"', Path("conf"))
    assert target.send(notice()) == Refused("it exited with 65")
