import socket

import pytest

from htmengine.monitors import rmq_metric_collector_agent as agent


def test_all_queues_make_one_metric_and_named_ones_their_own(caplog):
    ready = {"a": 3, "b": 4}
    assert agent.lines(ready, ["b", "absent"], "app", 1_700_000_000) == [
        "app-allq-ready.avg 7 1700000000",
        "app-q-b-ready.avg 4 1700000000",
    ]
    assert "absent" in caplog.text


def test_samples_go_to_the_listener_as_lines():
    with socket.create_server(("127.0.0.1", 0)) as server:
        agent.send(["a 1 2", "b 3 4"], server.getsockname())
        peer, _ = server.accept()
        with peer:
            assert peer.recv(100) == b"a 1 2\nb 3 4\n"


def test_a_dry_run_that_reaches_no_broker_says_so(capsys):
    with pytest.raises(SystemExit, match="rmq_metric_collector"):
        agent.main(["--dryrun", "--rmq-addr", "127.0.0.1:1"])


def test_what_is_no_address_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        agent.main(["--dryrun", "--rmq-addr", "localhost:many"])
    assert "--rmq-addr" in capsys.readouterr().err


def test_a_broker_that_is_configured_wrongly_is_said_in_two_lines(tmp_path, monkeypatch):
    (tmp_path / "rabbitmq.conf").write_text("[management]\nport = many\n")
    monkeypatch.setenv("APPLICATION_CONFIG_PATH", str(tmp_path))
    with pytest.raises(
        SystemExit, match=r'rabbitmq\.conf: \[management\] port = "many" is not a whole number\n'
    ):
        agent.main(["--dryrun"])
