"""A line goes in, a scored row and a published result come out: real processes, TCP, UDP and the queue."""

import json
import signal
import socket
import threading
from contextlib import contextmanager

import pytest

from tests.acceptance.engine import (
    STOPS_WITHIN_S,
    TIMEOUT_S,
    Folder,
    encoded,
    expected_scores,
    lines,
    python,
    wait_until,
)

pytestmark = pytest.mark.acceptance


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "data")


def test_lines_over_tcp_udp_and_the_queue_are_scored_like_a_series_and_published(folder):
    sent = lines("web.load", 400)
    with folder.up():
        follower = python(*("-m", "htmengine.cli", "results", "--follow", "--json", "--data", folder.path))
        wait_until(
            lambda: (
                len(folder.select("SELECT 1 FROM binding WHERE exchange LIKE '%.batches'", file="bus.sqlite"))
                == 2
            ),
            "that the web server and the command listen",
        )
        folder.send(sent[:200])
        folder.wait_for_scores("web.load", 200)
        folder.send_datagram(sent[200:240])
        folder.wait_for_scores("web.load", 240)
        folder.cli("send", *sent[240:250])
        assert folder.json("send", data="\n".join(sent[250:])) == {"sent": 150, "refused": {}}
        folder.wait_for_scores("web.load", 400)
        published = [json.loads(follower.stdout.readline()) for _ in range(400)]
        follower.send_signal(signal.SIGINT)
        follower.communicate(timeout=STOPS_WITHIN_S)
        folder.settles()
    expected = expected_scores(sent)
    assert folder.stored_scores("web.load") == expected
    assert [row["rowid"] for row in published] == list(range(1, 401))
    assert [row["logScore"] for row in published] == [row[4] for row in expected]


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
        folder.settles()
    assert folder.stored_scores("web.load") == expected_scores(sent)


def test_bad_lines_cost_their_neighbours_nothing_and_doctor_tells_the_reason(folder):
    with folder.up():
        folder.send(["web.load nonsense 1600000000", "web.load 1.5 1600000060", "only two"])
        folder.wait_for_scores("web.load", 1)
        report = wait_until(
            lambda: (text := folder.cli("doctor", "web.load", code=None)) and "rejected" in text and text,
            "a report of rejected lines",
        )
    assert (
        "graphite-text: the value is not a number, for example 'web.load nonsense 1600000000', from 127.0.0.1, at 2"
        in report
    )
    assert "graphite-text: not three fields" in report
    assert "The model has seen 1 and is young" in report
    assert "Lines of it were refused: the value is not a number." in report


LISTENER = "htmengine.runtime.metric_listener"
QUEUE_FED = (
    "htmengine.runtime.metric_storer",
    "htmengine.model_swapper.model_scheduler_service",
    "htmengine.runtime.anomaly_service",
)


@contextmanager
def services(folder):
    """Run each service as a process of its own; give them by module, and stop them in good order at the end."""
    port = ("--port", folder.port)
    commands = {
        LISTENER: port,
        f"{LISTENER} --transport udp": port,
        **dict.fromkeys(QUEUE_FED, ()),
        "htmengine.runtime.metric_garbage_collector": ("--threshold-days", 1e6),
    }
    running = {name: service(folder, name, *options) for name, options in commands.items()}
    try:
        wait_until(folder.listens, "listening")
        yield running
        for process in running.values():
            process.send_signal(signal.SIGTERM)
        ends = {name: process.communicate(timeout=STOPS_WITHIN_S)[1] for name, process in running.items()}
        assert [process.returncode for process in running.values()] == [0] * len(running), ends
    finally:
        for process in running.values():
            process.kill()
            process.communicate()


def service(folder, name, *options):
    return python("-m", *name.split(), "--data", folder.path, *options)


def test_services_run_as_processes_of_their_own_and_each_may_be_killed(folder):
    sent = lines("web.load", 320)
    with services(folder) as running:
        folder.send(sent[:60])
        folder.wait_for_scores("web.load", 60)
        folder.send_datagram(sent[60:80])
        folder.wait_for_scores("web.load", 80)
        with socket.create_connection(("127.0.0.1", folder.port)) as peer:  # one, since it keeps the order
            for at, name in enumerate(QUEUE_FED):
                first = 80 + 80 * at
                peer.sendall(encoded(sent[first : first + 40]))
                running[name].kill()
                running[name].communicate()
                peer.sendall(encoded(sent[first + 40 : first + 80]))
                running[name] = service(folder, name)
                folder.wait_for_scores("web.load", first + 80)
        wait_until(
            lambda: (
                [one["alive"] for one in folder.json("status", "--json")["services"]] == [True] * len(running)
            ),
            "that every service says that it runs",
        )
        folder.settles()
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
        second.settles()
    assert folder.stored_scores("web.load") == expected_scores(sent)


@pytest.mark.slow
def test_rows_that_retention_removes_are_not_missed_by_their_model(folder):
    sent = lines("web.load", 700)  # of 2020
    with folder.up():
        folder.send(sent[:600])
        folder.wait_for_scores("web.load", 600)
    collector = service(folder, "htmengine.runtime.metric_garbage_collector", "--threshold-days", 30)
    try:
        wait_until(lambda: folder.select("SELECT count(*) FROM metric_data") == [(0,)], "removal of old rows")
    finally:
        collector.send_signal(signal.SIGTERM)
        collector.communicate(timeout=STOPS_WITHIN_S)
    assert collector.returncode == 0
    with folder.up():
        folder.send(sent)
        folder.wait_for_scores("web.load", 700)
        folder.settles()
    assert folder.stored_scores("web.load") == expected_scores(sent)[600:]


@pytest.mark.slow
def test_sigint_and_sigterm_end_it_in_good_order(folder):
    for number in (signal.SIGINT, signal.SIGTERM):
        with folder.up() as process:
            process.send_signal(number)
            assert process.wait(STOPS_WITHIN_S) == 0


@pytest.mark.slow
def test_a_thousand_connections_at_a_time_lose_no_line(folder):
    with folder.up():
        address = ("127.0.0.1", folder.port)
        peers = [socket.create_connection(address, timeout=TIMEOUT_S) for _ in range(1000)]
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
