"""The ports for lines and pickles encrypted, with certificates in files, real connections and a real relay."""

import pickle
import socket
import ssl
import struct

import pytest

from benchmarks.running import free_port
from htmengine.doors.reasons import Reason
from htmengine.errors import ConfigError
from tests import servers
from tests.support.agents import answers, running
from tests.unit.runtime.metric_listener.listening import TIMEOUT_S, FakeBus, Running


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def ours(folder):
    return servers.make_certificate(folder, "ours", "DNS:localhost")


@pytest.fixture(scope="module")
def agents(folder):
    return servers.make_certificate(folder, "agents", "DNS:agent")


@pytest.fixture
def bus():
    return FakeBus()


@pytest.fixture
def listening(bus, ours):
    started = []

    def start(**settings):
        certificate, key = ours
        listener = Running(bus, **({"certificate": certificate, "key": key} | settings))
        started.append(listener)
        return listener

    yield start
    for listener in started:
        listener.stop()


def connected(port, trusted, certificate=None, **options):
    context = ssl.create_default_context(cafile=trusted)
    for name, value in options.items():
        setattr(context, name, value)
    if certificate:
        context.load_cert_chain(*certificate)
    plain = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
    return context.wrap_socket(plain, server_hostname="localhost")


def is_turned_away(port, trusted, certificate=None):
    try:
        with connected(port, trusted, certificate) as client:
            client.sendall(b"a 1 100\n")
            return client.recv(1) == b""  # TLS 1.3 refuses behind the client's handshake
    except OSError:
        return True


def refused(listener):
    """Return what the only refusal says: reason, example, peer."""
    listener.wait_for(lambda: listener.counters.rejected)
    ((reason, found),) = listener.counters.snapshot()["rejected"].items()
    return reason, "".join(found["examples"]), found["peer"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_lines_come_in_encrypted_however_they_are_cut(bus, listening, ours, version):
    listener = listening()
    sent = [f"cpu.{n} {n} 1700000000" for n in range(20_000)]  # of many records of TLS
    with connected(listener.port, ours[0], maximum_version=version, minimum_version=version) as client:
        for byte in b"first 1 1700000000\n":
            client.sendall(bytes([byte]))
        client.sendall("".join(f"{line}\n" for line in sent).encode())
    assert bus.wait_for(len(sent) + 1) == ["first 1 1700000000", *sent]
    assert listener.counters.rejected == 0


def test_pickles_come_in_encrypted(bus, listening, ours):
    port = free_port()
    listening(pickle_port=port)
    frame = pickle.dumps([("a", (1_700_000_000, 1.5))], 2)
    with connected(port, ours[0]) as client:
        client.sendall(struct.pack(">I", len(frame)) + frame)
    assert bus.wait_for(1) == ["a 1.5 1700000000"]


def test_a_line_that_ends_with_the_connection_is_not_used_here_either(bus, listening, ours):
    listener = listening()
    with connected(listener.port, ours[0]) as client:
        client.sendall(b"a 1 100\nb 1 17")
    assert bus.wait_for(1) == ["a 1 100"]
    assert refused(listener) == (f"graphite-text: {Reason.UNFINISHED}", "b 1 17", "127.0.0.1")


def test_who_has_a_certificate_of_the_issuer_is_let_in(bus, listening, ours, agents):
    listener = listening(client_ca_file=agents[0])
    with connected(listener.port, ours[0], agents) as client:
        client.sendall(b"a 1 100\n")
    assert bus.wait_for(1) == ["a 1 100"]
    assert listener.counters.rejected == 0


def test_who_has_none_is_turned_away_and_told_of(bus, listening, ours, agents):
    listener = listening(client_ca_file=agents[0])
    assert is_turned_away(listener.port, ours[0])
    assert refused(listener) == (f"graphite-text: {Reason.NO_CERTIFICATE}", "", "127.0.0.1")
    assert bus.messages == []


def test_who_has_one_of_another_issuer_is_turned_away_and_told_of(bus, listening, ours, agents, folder):
    listener = listening(client_ca_file=agents[0])
    other = servers.make_certificate(folder, "other", "DNS:agent")
    assert is_turned_away(listener.port, ours[0], other)
    reason, example, peer = refused(listener)
    assert (reason, peer) == (f"graphite-text: {Reason.BAD_CERTIFICATE}", "127.0.0.1")
    assert "self-signed" in example or "self signed" in example
    assert bus.messages == []


def test_a_sender_that_does_not_trust_us_is_told_of(listening):
    listener = listening()
    with pytest.raises(ssl.SSLCertVerificationError):
        connected(listener.port, None)
    reason, example, _ = refused(listener)
    assert (reason, example) == (f"graphite-text: {Reason.HANDSHAKE}", "tlsv1 alert unknown ca")


@pytest.mark.parametrize("sent", [b"a 1 1700000000\n", b"\x00\x00\x00\x10\x80\x02]q\x00", b"\x16"])
def test_who_speaks_no_tls_is_told_of_and_his_connection_closed(bus, listening, sent):
    listener = listening()
    with listener.connect() as client:
        client.sendall(sent + b"x" * 500)
        while client.recv(4096):
            pass
    reason, example, peer = refused(listener)
    assert peer == "127.0.0.1"
    if sent == b"\x16":
        assert reason == f"graphite-text: {Reason.HANDSHAKE}"
    else:
        assert reason == f"graphite-text: {Reason.NO_TLS_HERE}"
        assert example.startswith("a 1 17" if sent[:1] == b"a" else "\x00")
    assert bus.messages == []


def test_who_only_looks_whether_the_port_is_open_is_not_counted(bus, listening, ours):
    listener = listening()
    with listener.connect():
        listener.wait_for(lambda: listener.counters["connections"] == 1)
    with connected(listener.port, ours[0]) as client:
        client.sendall(b"a 1 100\n")
    bus.wait_for(1)
    assert listener.counters.rejected == 0


@pytest.mark.parametrize("port", ["plain", "pickle"])
def test_tls_on_a_port_without_it_is_told_of(listening, ours, port):
    pickle_port = free_port()
    listener = listening(certificate=None, key=None, pickle_port=pickle_port)
    assert is_turned_away(listener.port if port == "plain" else pickle_port, ours[0])
    door = "graphite-text" if port == "plain" else "graphite-pickle"
    assert refused(listener)[0] == f"{door}: {Reason.TLS_HERE}"


def test_carbon_c_relay_forwards_lines_encrypted(bus, listening, ours, tmp_path):
    listener = listening()
    port = free_port()
    config = tmp_path / "relay.conf"
    config.write_text(
        f"cluster engine forward localhost:{listener.port} transport plain ssl;\nmatch * send to engine stop;\n"
    )
    command = ["carbon-c-relay", "-f", config, "-p", port, "-C", ours[0]]
    with running(*command, package="carbon-c-relay", log=tmp_path / "relay.log"):
        listener.wait_for(lambda: answers(port))
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.sendall(b"relayed.load 1.5 1700000000\n")
        assert "relayed.load 1.5 1700000000" in bus.wait_for(1)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"certificate": "absent.pem"}, ("tls_certificate = ", "absent.pem", "No such file")),
        ({"certificate": "text.pem"}, ("text.pem", "not in PEM form")),
        ({"key": "agents.key"}, ("tls_key = ", "agents.key", "key values mismatch")),
        ({"key": "locked.key"}, ("locked.key", "password")),
        ({"client_ca_file": "absent.pem"}, ("tls_client_ca_file = ", "absent.pem", "No such file")),
        ({"client_ca_file": "text.pem"}, ("tls_client_ca_file = ", "text.pem", "PEM")),
    ],
)
def test_a_file_that_cannot_be_used_is_named_at_the_start(listening, folder, ours, agents, files, said):
    (folder / "text.pem").write_text("no certificate\n")
    openssl = servers.require("openssl", "openssl")
    locked = ["-in", ours[1], "-aes256", "-passout", "pass:secret", "-out", folder / "locked.key"]
    servers.subprocess.run([openssl, "pkey", *locked], check=True, capture_output=True)
    failure = listening(**{option: folder / name for option, name in files.items()}).failure
    assert isinstance(failure, ConfigError)
    assert str(failure).startswith("[metric_listener] ")
    for part in said:
        assert part in str(failure)
    assert "PEM" in failure.hint
