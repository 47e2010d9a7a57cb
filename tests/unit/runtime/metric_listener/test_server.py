import contextlib
import pickle
import socket
import struct
import threading
import time
from datetime import datetime

import msgspec
import pytest

from benchmarks.running import free_port
from htmengine import config, messages
from htmengine.bus import BusUnavailable, QueueFull
from htmengine.doors.reasons import Reason
from htmengine.runtime.metric_listener import Protocol, parsePlaintext, publisher, runServer, server
from htmengine.runtime.metric_listener.server import LinesLost, Listener, PortError
from tests.unit.runtime.metric_listener.listening import SETTINGS, TIMEOUT_S, FakeBus, Running


@pytest.fixture
def bus():
    return FakeBus()


@pytest.fixture
def running(bus):
    with contextlib.ExitStack() as stack:

        def start(transport="tcp", **options):
            found = Running(bus, transport, **options)
            stack.callback(found.stop)
            return found

        yield start


def test_lines_of_a_connection_are_published_in_their_order(bus, running):
    running().send(b"a 1 100\nb 2 100\r\n\n  \na 2 101\n")
    assert bus.wait_for(3) == ["a 1 100", "b 2 100", "a 2 101"]


def test_a_line_that_does_not_end_is_not_published(bus, running):
    listener = running()
    listener.send(b"a 1 100\nb 1 17000")
    assert bus.wait_for(1) == ["a 1 100"]
    listener.wait_for(lambda: listener.counters.rejected == 1)
    assert f"graphite-text: {Reason.UNFINISHED}" in listener.counters.snapshot()["rejected"]


def test_a_connection_that_is_reset_loses_no_line_that_had_come(bus, running):
    listener = running(flush_interval_s=0.2)
    client = listener.connect()
    client.sendall(b"a 1 100\nb 2 100\n")
    listener.wait_for(lambda: listener.counters["lines"] == 2)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    client.close()
    assert bus.wait_for(2) == ["a 1 100", "b 2 100"]


def test_bad_lines_cost_neither_their_neighbours_nor_the_connection(bus, running):
    listener = running(max_line_bytes=20)
    with listener.connect() as client:
        client.sendall(b"a 1 100\n\xff 1 100\n" + b"x" * 50_000)
        bus.wait_for(1)
        client.sendall(b"x\nb 1 100\n")
        assert bus.wait_for(2) == ["a 1 100", "b 1 100"]
    counted = listener.counters.snapshot()["rejected"]
    assert {reason: found["count"] for reason, found in counted.items()} == {
        f"graphite-text: {Reason.NOT_UTF8}": 1,
        f"graphite-text: {Reason.LONG_LINE}": 1,
    }
    assert {found["peer"] for found in counted.values()} == {"127.0.0.1"}


def test_a_connection_of_another_protocol_is_closed(bus, running):
    listener = running()
    with listener.connect() as client:
        client.sendall(b"\x00\x00\x00\x43\x80\x02]q\x00(X")
        assert client.recv(1) == b""
    assert f"graphite-text: {Reason.PICKLE_HERE}" in listener.counters.snapshot()["rejected"]


def test_a_message_says_by_which_door_its_lines_came_and_who_sent_them(bus, running):
    port = free_port()
    listener = running(pickle_port=port, batch_lines=2, flush_interval_s=0.2)
    frame = pickle.dumps([("p", (100, 1)), ("q", (100, 1))], 2)
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(struct.pack(">I", len(frame)) + frame)
        listener.send(b"a 1 100\nb 1 100\nc 1 100\n")
        bus.wait_for(5)
    found = [msgspec.json.decode(message.body) for message in bus.messages]
    assert {(m["door"], *m["data"]): m["peers"] for m in found} == {
        ("graphite-pickle", "p 1.0 100", "q 1.0 100"): [[2, "127.0.0.1"]],
        ("graphite-text", "a 1 100", "b 1 100"): [[2, "127.0.0.1"]],
        ("graphite-text", "c 1 100"): [[1, "127.0.0.1"]],
    }


def test_a_message_says_when_its_lines_were_accepted(bus, running):
    listener = running(clock=lambda: 1234.5)
    listener.send(b"a 1 2\n")
    bus.wait_for(1)
    assert [messages.decode_metric_lines(message.body).accepted_at for message in bus.messages] == [1234.5]


def test_lines_of_many_connections_share_messages_of_a_bounded_size(bus, running):
    listener = running(batch_lines=50, flush_interval_s=0.5)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(listener.connect()) for _ in range(40)]
        for number, client in enumerate(clients):
            client.sendall(b"".join(b"m%d %d 100\n" % (number, i) for i in range(5)))
        lines = bus.wait_for(200)
    assert sorted(lines) == sorted(f"m{number} {i} 100" for number in range(40) for i in range(5))
    assert max(map(len, bus.batches)) <= 50
    assert len(bus.batches) < 40


@pytest.mark.parametrize("error", [QueueFull("full"), BusUnavailable("away")])
def test_what_the_bus_does_not_take_is_published_later(bus, running, error):
    bus.failures = [error, error]
    running().send(b"a 1 100\n")
    assert bus.wait_for(1) == ["a 1 100"]


def test_a_bus_that_is_away_for_long_does_not_fill_the_log(bus, running, monkeypatch, caplog):
    monkeypatch.setattr(publisher, "MAX_PAUSE_S", 0.001)
    bus.failures = [BusUnavailable("away")] * 200
    listener = running()
    listener.send(b"a 1 100\n")
    listener.wait_for(lambda: caplog.messages and caplog.messages[-1].startswith("metric_listener.goes_on"))
    assert len(caplog.messages) < 10


def test_connections_are_not_read_while_the_bus_is_slow(bus, running):
    bus.open.clear()
    listener = running(batch_lines=100)
    chunk = (b"m" * 250 + b" 1.25 1700000000\n") * 1000
    chunks = 120
    taken = []

    def send():
        with listener.connect() as client:
            for number in range(chunks):
                client.sendall(chunk)
                taken.append(number)

    sender = threading.Thread(target=send)
    sender.start()
    listener.wait_for(lambda: listener.counters["pauses"] == 1)
    before = -1
    while before != len(taken):  # until the sender cannot go on
        before = len(taken)
        time.sleep(0.1)
    assert before < chunks
    assert listener.counters["lines"] < 10_000
    bus.open.set()
    listener.wait_for(lambda: listener.counters["lines_published"] == chunks * 1000)
    sender.join()
    assert len(bus.lines) == chunks * 1000


def test_what_was_read_is_published_before_the_end(bus):
    listener = Running(bus, flush_interval_s=30.0)
    with listener.connect() as client:
        client.sendall(b"a 1 100\nb 1 1")
        listener.wait_for(lambda: listener.counters["lines"] == 1)
        listener.stop()
        assert bus.lines == ["a 1 100"]
        assert client.recv(1) == b""


def test_lines_that_the_bus_does_not_take_at_the_end_are_told(bus, monkeypatch):
    monkeypatch.setattr(publisher, "LAST_TRIES_S", 0.0)
    listener = Running(bus)
    bus.failures = [BusUnavailable("away")] * 1000
    listener.send(b"a 1 100\nb 1 100\n")
    listener.wait_for(lambda: len(bus.failures) < 1000)
    listener.stop()
    assert isinstance(listener.failure, LinesLost)
    assert "2 lines" in str(listener.failure)


def test_a_bus_that_does_not_even_answer_at_the_end_costs_lines_that_are_told(bus, monkeypatch):
    monkeypatch.setattr(publisher, "LAST_TRIES_S", 0.1)
    bus.open.clear()
    listener = Running(bus)
    listener.send(b"a 1 100\nb 1 100\n")
    listener.wait_for(lambda: bus.asked)
    listener.stopping.set()
    listener.wait_for(lambda: listener.counters["lines_lost"] == 2)
    bus.open.set()
    listener.stop()
    assert isinstance(listener.failure, LinesLost)


def test_a_connection_that_sends_nothing_is_closed(bus, running):
    listener = running(idle_timeout_s=0.2)
    with listener.connect() as client:
        assert client.recv(1) == b""
    assert listener.counters["connections_closed"] == 1


def test_more_connections_than_allowed_are_closed_at_once(bus, running):
    listener = running(max_connections=1)
    with listener.connect() as first:
        first.sendall(b"a 1 100\n")
        bus.wait_for(1)
        with listener.connect() as second, contextlib.suppress(ConnectionResetError):
            assert second.recv(1) == b""
        first.sendall(b"b 1 100\n")
        assert bus.wait_for(2) == ["a 1 100", "b 1 100"]
    assert listener.counters["connections_refused"] == 1


def test_a_datagram_carries_many_lines(bus, running):
    listener = running("udp")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"a 1 100\nb 1 100\r\nc 1 100", ("127.0.0.1", listener.port))
        bus.wait_for(3)
        client.sendto(b"d 1 100\n", ("127.0.0.1", listener.port))
        assert bus.wait_for(4) == ["a 1 100", "b 1 100", "c 1 100", "d 1 100"]
    assert listener.counters["datagrams"] == 2


def test_a_port_in_use_is_one_clear_error(bus):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortError, match=f"TCP port {port} on 127.0.0.1 is in use") as raised:
            Listener(msgspec.structs.replace(SETTINGS, port=port), bus).run(threading.Event())
    assert raised.value.exit_code == 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        with pytest.raises(PortError, match=f"UDP port {port}"):
            Listener(msgspec.structs.replace(SETTINGS, port=port), bus, transport="udp").run(
                threading.Event()
            )


def test_an_address_of_another_machine_is_one_clear_error(bus):
    with pytest.raises(PortError, match=r"192\.0\.2\.1 cannot be opened"):
        Listener(msgspec.structs.replace(SETTINGS, host="192.0.2.1"), bus).run(threading.Event())


def test_an_error_of_ours_ends_the_listener_loudly(bus):
    listener = Running(bus)
    bus.failures = [KeyError("a bug")]
    listener.send(b"a 1 100\n")
    listener.thread.join(TIMEOUT_S)
    assert isinstance(listener.failure, KeyError)
    listener.stopping.set()


def test_the_documented_names_are_there(monkeypatch):
    monkeypatch.delenv(config.CONFIG_PATH_VARIABLE, raising=False)
    assert Protocol.values() == ("plain",)
    assert Protocol.getDefaultPort("plain") == 2003
    with pytest.raises(ValueError, match="pickle"):
        Protocol.getDefaultPort("pickle")
    with pytest.raises(ValueError, match="pickle"):
        runServer("127.0.0.1", 0, "pickle", "tcp")
    with pytest.raises(ValueError, match="sctp"):
        Listener(SETTINGS, FakeBus(), transport="sctp")


def test_parse_plaintext_returns_name_value_and_time():
    assert parsePlaintext("test.metric 4.0 1386792175") == [
        "test.metric",
        4.0,
        datetime(2013, 12, 11, 20, 2, 55),
    ]
    assert parsePlaintext("m 1 0.25")[2] == datetime(1970, 1, 1, 0, 0, 0, 250_000)
    with pytest.raises(ValueError, match="timestamp"):
        parsePlaintext("m 1 12:30PM")


def test_pickles_come_in_beside_lines(bus, running):
    port = free_port()
    listener = running(pickle_port=port)
    points = [("a.b;z=1;y=2", (1_700_000_000.5, 1.5)), ("c", (1_700_000_000, "x"))]
    frame = pickle.dumps(points, 2)
    with socket.create_connection(("127.0.0.1", port)) as client:
        for byte in struct.pack(">I", len(frame)) + frame:
            client.sendall(bytes([byte]))
        assert bus.wait_for(1) == ["a.b;y=2;z=1 1.5 1700000000"]
        listener.send(b"d 1 100\n")
        assert bus.wait_for(2)[1:] == ["d 1 100"]
    assert listener.counters.snapshot()["rejected"][f"graphite-pickle: {Reason.VALUE}"]["count"] == 1


def test_a_connection_whose_frame_is_too_long_is_closed(bus, running):
    port = free_port()
    listener = running(pickle_port=port)
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"\x7f\xff\xff\xff\x80\x02")
        assert client.recv(1) == b""
    assert f"graphite-pickle: {Reason.LONG_FRAME}" in listener.counters.snapshot()["rejected"]


@pytest.mark.parametrize("sent", [b"cpu.user 1 1700000000\n", b"POST /write HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_text_on_the_port_for_pickles_is_told_by_name(bus, running, sent):
    port = free_port()
    listener = running(pickle_port=port)
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(sent)
        assert client.recv(1) == b""
    ((reason, found),) = listener.counters.snapshot()["rejected"].items()
    assert reason == f"graphite-pickle: {Reason.LINES_HERE}"
    assert found["examples"] == [sent.decode()]


def test_connections_for_pickles_are_few(bus, running, monkeypatch):
    monkeypatch.setattr(server, "MAX_PICKLE_CONNECTIONS", 2)
    port = free_port()
    listener = running(pickle_port=port)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(3)]
        listener.wait_for(lambda: listener.counters["connections_refused"] == 1)
        clients[0].close()
        listener.wait_for(lambda: listener.listener.pickle_connections == 1)
    listener.wait_for(lambda: listener.listener.pickle_connections == 0)


def test_a_port_for_pickles_that_is_taken_is_told(bus, running):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listener = running(pickle_port=taken.getsockname()[1])
        assert isinstance(listener.failure, PortError)


def test_statsd_comes_in_beside_lines(bus, running):
    port = free_port()
    running(statsd=config.Statsd(port=port))
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"level:7|g|T1700000000\n")
        assert bus.wait_for(1) == ["level 7.0 1700000000"]


def test_a_port_for_statsd_that_is_taken_is_told(bus, running):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listener = running(statsd=config.Statsd(port=taken.getsockname()[1]))
        assert isinstance(listener.failure, PortError)
        assert "[statsd]" in listener.failure.hint
