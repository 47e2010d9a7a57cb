"""A line goes in, a scored row and a published result come out: real processes, TCP, UDP and the queue."""

import json
import signal
import socket
import sqlite3
import subprocess
import threading

import pytest

from tests.acceptance.engine import Folder, expected_scores, lines, python, wait_until

pytestmark = pytest.mark.acceptance


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "data")


def test_lines_over_tcp_udp_and_the_queue_are_scored_like_a_series_and_published(folder):
    sent = lines("web.load", 400)
    with folder.up():
        follower = python(*("-m", "htmengine.cli", "results", "--follow", "--json", "--data", folder.path))
        wait_until(
            lambda: any("follow" in name for name in queues(folder)),
            "a follower's queue",
        )
        folder.send(sent[:200])
        folder.wait_for_scores("web.load", 200)
        folder.send_datagram(sent[200:240])
        folder.wait_for_scores("web.load", 240)
        folder.cli("send", *sent[240:250])
        assert folder.json("send", data="\n".join(sent[250:])) == {"sent": 150}
        folder.wait_for_scores("web.load", 400)
        published = [json.loads(follower.stdout.readline()) for _ in range(400)]
        follower.send_signal(signal.SIGINT)
        follower.communicate(timeout=20)
        assert folder.cli("verify", "--settled") == ""
    expected = expected_scores(sent)
    assert folder.stored_scores("web.load") == expected
    assert [row["rowid"] for row in published] == list(range(1, 401))
    assert [row["logScore"] for row in published] == [row[4] for row in expected]


def queues(folder):
    with sqlite3.connect(folder.path / "bus.sqlite") as database:
        return [name for (name,) in database.execute("SELECT name FROM queue")]


def test_a_restart_in_the_middle_changes_no_score(folder):
    sent = lines("web.load", 300)
    with folder.up():
        folder.send(sent[:100])
        folder.wait_for_scores("web.load", 50)
    with folder.up() as process:
        folder.send(sent[:200])  # what came already is refused
        folder.wait_for_scores("web.load", 150)
        process.kill()
        process.wait()
    with folder.up():
        folder.send(sent)
        folder.wait_for_scores("web.load", 300)
        folder.cli("verify", "--settled")
    assert folder.stored_scores("web.load") == expected_scores(sent)


def test_bad_lines_cost_their_neighbours_nothing_and_doctor_tells_the_reason(folder):
    with folder.up():
        folder.send(["web.load nonsense 1600000000", "web.load 1.5 1600000060", "only two"])
        folder.wait_for_scores("web.load", 1)
        report = wait_until(
            lambda: (text := folder.cli("doctor", "web.load")) and "rejected" in text and text,
            "a report of rejected lines",
        )
    assert "the value is not a number" in report
    assert "not three fields" in report
    assert "the model has seen 1" in report


def test_services_run_as_processes_of_their_own(folder):
    modules = (
        "htmengine.runtime.metric_storer",
        "htmengine.model_swapper.model_scheduler_service",
        "htmengine.runtime.anomaly_service",
    )
    services = [python("-m", module, "--data", folder.path) for module in modules]
    services.append(
        python("-m", "htmengine.runtime.metric_listener", "--data", folder.path, "--port", folder.port)
    )
    try:
        wait_until(folder.listens, "listening")
        sent = lines("web.load", 120)
        folder.send(sent)
        folder.wait_for_scores("web.load", 120)
        status = folder.json("status", "--json")
        assert [service["alive"] for service in status["services"]] == [True] * 4
        folder.cli("verify", "--settled")
    finally:
        for service in services:
            service.send_signal(signal.SIGTERM)
        ends = [service.communicate(timeout=20) for service in services]
    assert [service.returncode for service in services] == [0] * 4, ends
    assert folder.stored_scores("web.load") == expected_scores(sent)


def test_two_engines_on_one_folder_share_the_work_and_the_second_takes_over(folder):
    sent = lines("web.load", 200)
    second = Folder(folder.path)
    with second.up():
        with folder.up() as first:
            folder.send(sent[:100])
            folder.wait_for_scores("web.load", 100)
            first.kill()
            first.wait()
        second.send(sent)
        second.wait_for_scores("web.load", 200)
        second.cli("verify", "--settled")
    assert folder.stored_scores("web.load") == expected_scores(sent)


# -- What cannot be used: one clear message, a non-zero exit


def failing(*arguments):
    done = subprocess.run(python_command(arguments), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done


def python_command(arguments):
    import sys

    return [sys.executable, "-m", "htmengine.cli", *map(str, arguments)]


def test_a_port_in_use_is_one_clear_message(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", folder.port))
        taken.listen()
        done = failing("up", "--data", folder.path, "--port", folder.port)
    assert f"port {folder.port}" in done.stderr
    assert "in use" in done.stderr
    assert "--port" in done.stderr


def test_a_folder_that_cannot_be_made_is_one_clear_message(tmp_path):
    (tmp_path / "file").write_text("")
    done = failing("up", "--data", tmp_path / "file" / "data")
    assert str(tmp_path / "file") in done.stderr


def test_a_wrong_configuration_lists_every_fault(tmp_path):
    (tmp_path / "application.conf").write_text(
        "[engine]\nbus = pigeons\n[metric_listener]\nplaintext_port = 2oo3\n"
    )
    done = failing("up", "--config", tmp_path)
    assert done.returncode == 2
    assert "pigeons" in done.stderr
    assert "2oo3" in done.stderr


def test_a_file_that_is_no_database_is_refused_and_left_alone(folder):
    (folder.path / "repository.sqlite").write_bytes(b"something else entirely" * 100)
    failing("up", "--data", folder.path, "--port", folder.port)
    assert (folder.path / "repository.sqlite").read_bytes() == b"something else entirely" * 100


def test_sigint_and_sigterm_end_it_within_seconds(folder):
    for number in (signal.SIGINT, signal.SIGTERM):
        with folder.up() as process:
            process.send_signal(number)
            assert process.wait(10) == 0


def test_a_thousand_connections_at_a_time_lose_no_line(folder):
    with folder.up():
        peers = [socket.create_connection(("127.0.0.1", folder.port), timeout=10) for _ in range(1000)]
        threads = [
            threading.Thread(
                target=lambda some, first: [
                    peer.sendall(f"many.m{first + i} 1 1600000000\n".encode()) for i, peer in enumerate(some)
                ],
                args=(peers[at : at + 250], at),
            )
            for at in range(0, 1000, 250)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for peer in peers:
            peer.close()
        wait_until(
            lambda: folder.json("status", "--json")["totals"]["rows"] == 1000, "a row of each connection"
        )
