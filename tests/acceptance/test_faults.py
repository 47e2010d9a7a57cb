"""What cannot be used is told in one clear message with a non-zero exit, and nothing is harmed."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.engine import (
    STOPS_WITHIN_S,
    TIMEOUT_S,
    Folder,
    expected_scores,
    lines,
    python,
    wait_until,
)

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "data")


def refused(*arguments, code=1, module="htmengine.cli"):
    """Run a program that cannot work as things are and return what it says of it."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
    return done.stderr


def refused_up(folder, **options):
    return refused("up", "--data", folder.path, "--port", folder.port, **options)


# -- Ports


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_in_use(folder, kind):
    with socket.socket(type=kind) as taken:
        taken.bind(("127.0.0.1", folder.port))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        message = refused_up(folder)
    assert f"port {folder.port} on 127.0.0.1 is in use" in message
    assert "--port" in message
    with folder.up():  # what was made by then is whole
        assert folder.cli("verify", "--settled") == ""


# -- Configurations


WRONG = "[engine]\nbus = pigeons\ndata_dir = here\n[metric_listener]\nplaintext_port = 2oo3\n"


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("htmengine.cli", ["up"]),
        ("htmengine.cli", ["status"]),
        ("htmengine.runtime.metric_listener", []),
        ("htmengine.runtime.anomaly_service", []),
    ],
)
def test_a_wrong_configuration_lists_every_fault(tmp_path, module, command):
    (tmp_path / "application.conf").write_text(WRONG)
    message = refused(*command, "--config", tmp_path, code=2, module=module)
    for fault in ('bus = "pigeons" is none of', 'data_dir = "here" is not an absolute path', '"2oo3"'):
        assert fault in message
    assert [path.name for path in tmp_path.iterdir()] == ["application.conf"]


def test_a_check_of_a_configuration_lists_the_faults_of_its_rules_too(tmp_path):
    (tmp_path / "application.conf").write_text(WRONG)
    (tmp_path / "monitor-rules.conf").write_text("[load]\npattern = *\naction = watch\n")
    message = refused("config", "check", tmp_path, code=2)
    assert 'bus = "pigeons" is none of' in message
    assert 'line 3: [load] action = "watch" is not monitor' in message


def test_a_configuration_that_is_not_there(tmp_path):
    assert "there is no such configuration directory" in refused("up", "--config", tmp_path / "x", code=2)


def test_rules_that_cannot_be_used(folder):
    (folder.path / "monitor-rules.conf").write_text("[load]\npattern = *\naction = watch\n")
    message = refused_up(folder, code=2)
    assert "monitor-rules.conf" in message
    assert "watch" in message


# -- Folders and disks


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in refused("up", "--data", tmp_path / "file" / "data")


@pytest.mark.parametrize("name", ["repository.sqlite", "bus.sqlite", "checkpoints/checkpoints.sqlite"])
def test_a_file_that_is_no_database_is_left_alone(folder, name):
    content = b"something else entirely" * 100
    file = folder.path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    assert str(file) in refused_up(folder)
    assert file.read_bytes() == content


def test_bus_and_checkpoints_that_are_moved_away_are_made_again(folder):
    sent = lines("web.load", 900)
    with folder.up() as process:
        folder.send(sent[:600])
        folder.wait_for_rows("web.load", 600)
        process.kill()  # perhaps with scores on their way
        process.wait()
    for file in (*folder.path.glob("bus.sqlite*"), *folder.path.glob("checkpoints/*")):
        file.unlink()
    with folder.up():
        folder.wait_for_scores("web.load", 600)
        folder.send(sent)
        folder.wait_for_scores("web.load", 900)
        folder.settles()
    assert folder.stored_scores("web.load") == expected_scores(sent)


@contextmanager
def disk(path, options):
    """Mount a small disk of its own; the test is left out where that is not allowed."""
    path.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


def test_a_disk_that_may_not_be_written(tmp_path):
    with disk(tmp_path / "disk", "ro") as path:
        message = refused("up", "--data", path)
        assert f"{path}: cannot be opened for writing" in message
        assert "Read-only file system" in message
        assert "may write there" in message
        assert "Read-only file system" in refused("init", path / "application", code=2)


def test_a_disk_that_is_full_at_the_start(tmp_path):
    with disk(tmp_path / "disk", "size=8m") as path:
        message = refused("up", "--data", path)
        assert f"{path}: the disk is full" in message
        assert "Make room" in message
        assert list(path.iterdir()) == []


def fill(path):
    """Take all the room that there is on a disk, with a file that is returned."""
    ballast = path / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    return ballast


def test_a_disk_that_fills_up_costs_nothing_that_was_accepted(tmp_path):
    sent = lines("web.load", 12_000)
    with disk(tmp_path / "disk", "size=40m") as path:
        folder = Folder(path / "data")
        folder.log = tmp_path / "engine.log"

        def says(words):
            wait_until(lambda: words in folder.log.read_text(), words)

        with folder.up() as process:
            folder.send(sent[:1000])
            folder.wait_for_scores("web.load", 1000)
            ballast = fill(path)
            folder.send(sent[1000:11_000])
            says("disk is full")
            folder.cli("doctor", code=1)
            assert "the disk is full: 0 MiB are left" in folder.advice
            assert folder.metric("web.load")["samples"] >= 1000
            process.send_signal(signal.SIGTERM)
            code = process.wait(STOPS_WITHIN_S)
        # What was read and could not be taken is lost, and that is said; TCP has no acknowledgement.
        log = folder.log.read_text()
        assert (code, "lines that had been read could not be put on the queue" in log) in (
            (1, True),
            (0, False),
        )
        assert "Traceback" not in log
        assert f"{folder.path}: the disk is full" in refused_up(folder)
        ballast.unlink()
        assert folder.cli("verify") == ""

        with folder.up():
            folder.send(sent[:11_000])
            folder.wait_for_scores("web.load", 11_000)
            ballast = fill(path)
            folder.send(sent[11_000:])
            os.truncate(ballast, 0)  # it goes on by itself once there is room
            folder.wait_for_scores("web.load", 12_000)
            folder.settles()
        assert folder.stored_scores("web.load") == expected_scores(sent)


def test_a_service_that_runs_alone_tells_its_fault_and_ends(folder):
    listener = python("-m", "htmengine.runtime.metric_listener", "--data", folder.path, "--port", folder.port)
    try:
        wait_until(folder.listens, "listening")
        message = refused(
            *("--data", folder.path, "--port", folder.port), module="htmengine.runtime.metric_listener"
        )
        assert f"port {folder.port} on 127.0.0.1 is in use" in message
    finally:
        listener.send_signal(signal.SIGTERM)
        listener.communicate(timeout=STOPS_WITHIN_S)
    assert listener.returncode == 0


@pytest.mark.parametrize("file", ["repository.sqlite", "bus.sqlite", "checkpoints/checkpoints.sqlite"])
@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"\xff" * 40_000)])
def test_a_file_that_is_deleted_or_overwritten_under_the_engine_is_said_and_nothing_is_called_saved(
    folder, file, spoil
):
    with folder.up() as process:
        folder.send(lines("m", 300))
        folder.wait_for_scores("m", 300)
        folder.select(
            "PRAGMA wal_checkpoint(PASSIVE)", file=file
        )  # what stands in the log only is not spoiled
        spoil(folder.path / file)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOPS_WITHIN_S) == 1
    log = folder.log.read_text()
    assert f"{file.rpartition('/')[2]}: " in log, log
    assert "backup" in log or "start again" in log
    assert "everything is saved" not in log
