"""The web server of a real engine: listening, following through a kill -9, tokens, ports that are taken."""

import socket
import threading
import urllib.error
import urllib.request

import pytest

from htmengine.client import Client, Missed
from tests.acceptance.engine import Folder, lines, wait_until

pytestmark = pytest.mark.acceptance


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "data")


def answers(folder, path="/healthz"):
    """Return what the server answers, or None."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{folder.http_port}{path}", timeout=5) as answer:
            return answer.read()
    except (urllib.error.URLError, OSError):
        return None


def test_what_is_sent_over_http_is_scored_and_seen_there(folder):
    with folder.up(), Client(f"http://127.0.0.1:{folder.http_port}") as client:
        wait_until(lambda: answers(folder), "that the server answers")
        sent = [
            (name, float(time), float(value)) for name, value, time in map(str.split, lines("web.load", 300))
        ]
        assert client.send(sent).accepted == 300
        folder.wait_for_scores("web.load", 300)
        metric = wait_until(lambda: client.find("web.load"), "the metric in the list")
        rows = list(client.rows(metric.uid))
        assert [row["rowid"] for row in rows] == list(range(1, 301))
        assert [row["log_score"] for row in rows] == [row[4] for row in folder.stored_scores("web.load")]
        assert client.explain(metric.uid, 290).log_score == rows[289]["log_score"]
        assert client.overview().engine == "well", client.overview().troubles
        assert answers(folder, "/")


def test_results_are_followed_through_a_kill_without_loss(folder):
    """The stream says where it lost its place, and rows by their numbers make up for what was missed."""
    sent = lines("web.load", 400)
    seen, missed, ended = {}, threading.Event(), threading.Event()
    address = f"http://127.0.0.1:{folder.http_port}"

    def follow():
        with Client(address) as follower, Client(address) as reader:
            for result in follower.follow("web.load"):
                if ended.is_set():
                    return
                if isinstance(result, Missed):
                    metric = reader.find("web.load")
                    for row in reader.rows(metric.uid, since_rowid=max(seen, default=0)):
                        seen[int(row["rowid"])] = row["log_score"]
                    missed.set()
                else:
                    seen[result.rowid] = result.log_score

    with folder.up() as process:
        wait_until(lambda: answers(folder), "that the server answers")
        folder.send(sent[:50])
        folder.wait_for_scores("web.load", 50)
        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        folder.send(sent[50:200])
        wait_until(lambda: len(seen) > 50, "results in the stream")
        process.kill()
        process.wait()
    with folder.up():
        folder.send(sent[200:350])
        folder.wait_for_scores("web.load", 350)
        assert missed.wait(60)
        folder.send(sent[350:])
        wait_until(lambda: max(seen) == 400, lambda: f"the last result; seen to {max(seen)}")
        ended.set()
        first = min(seen)
        assert sorted(seen) == list(range(first, 401))
        stored = {row[0]: row[4] for row in folder.stored_scores("web.load")}
        assert seen == {rowid: stored[rowid] for rowid in seen}


def test_a_port_that_was_asked_for_and_is_taken_is_an_error_that_says_what_to_do(folder):
    with socket.create_server(("127.0.0.1", folder.http_port)):
        stderr = folder.fails("up", "--port", folder.port, "--http-port", folder.http_port)
    assert str(folder.http_port) in stderr
    assert "--http-port" in stderr


def test_other_machines_are_let_in_only_with_a_token(folder):
    stderr = folder.fails("up", *folder.ports, "--http-host", "0.0.0.0")
    assert "htmengine tokens create" in stderr
    secret = folder.cli("tokens", "create", "test", "--scope", "read").strip()
    with folder.up("--http-host", "0.0.0.0"):
        address = f"http://127.0.0.1:{folder.http_port}"
        wait_until(lambda: answers(folder), "that the server answers")
        with Client(address, secret) as known:
            assert known.session().scopes == ["read"]
        assert answers(folder, "/api/v1/metrics") is None
    assert secret not in folder.log.read_text()
    assert [token["name"] for token in [folder.json("tokens", "list", "--json")]] == ["test"]


def test_without_a_port_there_is_no_server(folder):
    folder.ports = ("--port", folder.port, "--http-port", 0)
    with folder.up():
        folder.send(lines("web.load", 10))
        folder.wait_for_rows("web.load", 10)
        assert answers(folder) is None
