import json
import socket
import ssl
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from htmengine.alerts.targets import connections, http, secrets
from htmengine.alerts.targets.api import Delivered, Gone, Refused, Retry
from htmengine.alerts.targets.connections import Deadline, TooLate, refusal, resolve
from htmengine.alerts.targets.http import Answer, Receiver, outcome, parse_url, retry_after_s
from htmengine.alerts.targets.tls import Tls
from tests import servers
from tests.unit.alerts.notices import notice
from tests.unit.alerts.targets.receiving import HttpReceiver, made, raw_server

NOW = 1_700_000_000.0


def to(url, **options):
    return Receiver(secrets.constant(url, "url"), **options)


# -- What answers mean


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Delivered),
        (202, Delivered),
        (204, Delivered),
        (301, Refused),
        (307, Refused),
        (400, Refused),
        (401, Refused),
        (404, Refused),
        (408, Retry),
        (410, Gone),
        (413, Refused),
        (425, Retry),
        (429, Retry),
        (500, Retry),
        (503, Retry),
        (599, Retry),
    ],
)
def test_a_status_has_one_meaning(receiver, status, expected):
    receiver.answer(status, b"why\nmore")
    found = to(receiver.url).post(b"{}")
    assert isinstance(found, expected)
    if expected is not Delivered:
        assert f"HTTP {status}" in found.reason
        assert "more" not in found.reason


@pytest.mark.parametrize(
    ("value", "pause"),
    [
        ("7", 7.0),
        (" 90 ", 90.0),
        ("86400", 3600.0),
        ("9" * 5000, 3600.0),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("٣", None),
        ("", None),
        (format_datetime(datetime.fromtimestamp(NOW + 120, UTC), usegmt=True), 120.0),
        (format_datetime(datetime.fromtimestamp(NOW + 90_000, UTC), usegmt=True), 3600.0),
        (format_datetime(datetime.fromtimestamp(NOW - 5, UTC), usegmt=True), None),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
    ],
)
def test_a_pause_that_is_asked_for_is_read(value, pause):
    assert retry_after_s(value, NOW) == pause


def test_a_receiver_that_is_busy_gets_its_pause(receiver):
    receiver.answer(429, b"slow down", Retry_After="30")
    assert to(receiver.url).post(b"{}") == Retry("HTTP 429 Too Many Requests: slow down", 30.0)


def test_what_a_receiver_says_is_shown_in_a_short_line():
    said = outcome(Answer(400, "\x1b[31m", None, "\n \n\x00bad \u202e" + "x" * 5000 + "\nsecond"), NOW)
    assert "\x1b" not in said.reason
    assert "\u202e" not in said.reason
    assert len(said.reason) <= 200
    assert said.reason.startswith("HTTP 400 \\x1b[31m: \\x00bad")


def test_redirects_are_not_followed(receiver):
    other = HttpReceiver()
    try:
        receiver.answer(302, Location=other.url)
        assert isinstance(to(receiver.url).post(b"{}"), Refused)
        assert other.requests == []
    finally:
        other.close()


# -- Connections


def test_proxies_of_the_environment_are_not_used(receiver, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy")
    monkeypatch.delenv("NO_PROXY")
    assert to(receiver.url).post(b"{}") == Delivered()


def test_a_proxy_that_is_set_gets_the_whole_address(receiver):
    proxy = secrets.constant(receiver.url.replace("://", "://me:geheim99@"), "proxy")
    assert to("http://hook.example/in?x=1", proxy=proxy).post(b"{}") == Delivered()
    (request,) = receiver.requests
    assert request.path == "http://hook.example/in?x=1"
    assert request.headers["Host"] == "hook.example"
    assert request.headers["Proxy-Authorization"] == "Basic bWU6Z2VoZWltOTk="


@pytest.fixture
def encrypted(tmp_path):
    """Give a receiver with a certificate for localhost, and that certificate's file."""
    certificate, key = servers.make_certificate(tmp_path, "localhost", "DNS:localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    found = HttpReceiver(context)
    yield found, certificate
    found.close()


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(encrypted):
    found, _ = encrypted
    said = to(f"https://localhost:{found.port}").post(b"{}")
    assert isinstance(said, Retry)
    assert "certificate is not trusted" in said.reason
    assert found.requests == []


def test_a_certificate_is_trusted_for_its_name_alone(encrypted):
    found, certificate = encrypted
    context = Tls(certificate)
    assert to(f"https://localhost:{found.port}/x", tls=context).post(b"{}") == Delivered()
    assert found.requests[0].headers["Host"] == f"localhost:{found.port}"
    said = to(found.url, tls=context).post(b"{}")
    assert "certificate is not trusted" in said.reason


def test_certificates_that_are_renewed_are_read_again(encrypted, tmp_path):
    found, certificate = encrypted
    trusted = tmp_path / "trusted.pem"
    (tmp_path / "other").mkdir()
    other, _ = servers.make_certificate(tmp_path / "other", "localhost", "DNS:localhost")
    trusted.write_bytes(other.read_bytes())
    receiver = to(f"https://localhost:{found.port}", tls=Tls(trusted))
    assert "certificate is not trusted" in receiver.post(b"{}").reason
    trusted.write_bytes(certificate.read_bytes())
    assert receiver.post(b"{}") == Delivered()
    trusted.write_text("being written")
    assert receiver.post(b"{}") == Retry(
        "ca_file holds no certificates in PEM form: NO_CERTIFICATE_OR_CRL_FOUND"
    )


def test_who_we_are_is_shown_to_a_receiver_that_asks(tmp_path):
    certificate, key = servers.make_certificate(tmp_path, "localhost", "DNS:localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    found = HttpReceiver(context)
    try:
        url = f"https://localhost:{found.port}"
        assert isinstance(to(url, tls=Tls(certificate)).post(b"{}"), Retry)
        assert to(url, tls=Tls(certificate, certificate, key)).post(b"{}") == Delivered()
    finally:
        found.close()


def test_through_a_proxy_the_receiver_is_spoken_to_encrypted(encrypted):
    found, certificate = encrypted
    asked = []

    def tunnel(client):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        asked.append(head)
        client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n")
        server = socket.create_connection(("127.0.0.1", found.port))

        def copy(source, sink):
            with suppress(OSError):
                while data := source.recv(4096):
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_WR)

        back = threading.Thread(target=copy, args=(server, client), daemon=True)
        back.start()
        copy(client, server)
        back.join()
        server.close()

    with raw_server(tunnel) as port:
        proxy = secrets.constant(f"http://127.0.0.1:{port}", "proxy")
        tls = Tls(certificate)
        assert to(f"https://localhost:{found.port}/x", tls=tls, proxy=proxy).post(b"{}") == Delivered()
    assert asked[0].startswith(f"CONNECT localhost:{found.port} HTTP/1.1\r\n".encode())
    assert len(found.requests) == 1


def test_a_proxy_that_refuses_says_so():
    with raw_server(lambda client: client.sendall(b"HTTP/1.1 407 Who are you\r\n\r\n")) as port:
        proxy = secrets.constant(f"http://127.0.0.1:{port}", "proxy")
        said = to("https://hook.example", proxy=proxy).post(b"{}")
    assert said == Retry("the proxy does not connect to hook.example: HTTP/1.1 407 Who are you")


def silent(_connection):
    pass


def dripping(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    try:
        while True:
            connection.sendall(b"X: y\r\n")
            time.sleep(0.02)
    except OSError:
        pass


@pytest.mark.parametrize(("serve", "scheme"), [(silent, "http"), (dripping, "http"), (silent, "https")])
def test_a_receiver_that_keeps_us_waiting_is_given_up(monkeypatch, serve, scheme):
    monkeypatch.setattr(http, "Deadline", lambda: Deadline(0.1))
    with raw_server(serve) as port:
        said = to(f"{scheme}://127.0.0.1:{port}").post(b"{}")
    assert isinstance(said, Retry)
    assert said.reason in ("it took longer than 0.1 s", "it took too long")


def test_a_resolver_that_keeps_us_waiting_is_given_up(monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_options: release.wait(60) and [])
    with pytest.raises(TooLate, match=r"hook\.example is not found within 0.1 s"):
        resolve("hook.example", 80, Deadline(0.1), allow_link_local=False)
    release.set()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "speaks no HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 500 + b"\r\n", "speaks no HTTP"),
    ],
)
def test_what_is_no_answer_is_tried_again(said, reason):
    def serve(connection):
        connection.recv(65536)
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)

    with raw_server(serve) as port:
        found = to(f"http://127.0.0.1:{port}").post(b"{}")
    assert isinstance(found, Retry)
    assert reason in found.reason


def test_a_long_answer_is_read_only_in_part():
    def serve(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with raw_server(serve) as port:
        assert to(f"http://127.0.0.1:{port}").post(b"{}") == Delivered()


def test_nobody_there_is_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert to(f"http://127.0.0.1:{port}").post(b"{}") == Retry("Connection refused")


def answering(monkeypatch, *addresses):
    """Let every name have these addresses; return how often one was asked for."""
    asked = []

    def getaddrinfo(host, port, **_options):
        asked.append(host)
        family = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(family[":" in one], socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_is_resolved_once_and_what_was_found_is_connected_to(receiver, monkeypatch):
    asked = answering(monkeypatch, "127.0.0.1")
    assert to(f"http://hook.example:{receiver.port}/a").post(b"{}") == Delivered()
    assert asked == ["hook.example"]
    assert receiver.requests[0].headers["Host"] == f"hook.example:{receiver.port}"


def test_an_address_that_does_not_answer_is_followed_by_the_next(receiver, monkeypatch):
    answering(monkeypatch, "127.0.0.2", "127.0.0.1")
    assert to(f"http://hook.example:{receiver.port}").post(b"{}") == Delivered()


def test_a_name_that_leads_to_credentials_of_a_cloud_is_not_connected_to(monkeypatch):
    answering(monkeypatch, "169.254.169.254")
    connected = []
    monkeypatch.setattr(connections, "_connect", lambda *arguments: connected.append(arguments))
    said = to("http://hook.example/latest").post(b"{}")
    assert said == Retry(
        "hook.example is 169.254.169.254, a link-local address; allow_link_local = true allows it"
    )
    assert connected == []


def test_of_several_addresses_only_those_allowed_are_used(receiver, monkeypatch):
    answering(monkeypatch, "169.254.169.254", "127.0.0.1")
    assert [one.address[0] for one in resolve("a.example", 1, Deadline(), allow_link_local=False)] == [
        "127.0.0.1"
    ]
    assert len(resolve("a.example", 1, Deadline(), allow_link_local=True)) == 2


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd20:ce::254",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
    ],
)
def test_nothing_is_sent_to_some_addresses(address):
    assert refusal(address) is not None


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "172.16.0.9", "fd12::1", "93.184.216.34"]
)
def test_machines_of_ones_own_are_sent_to(address):
    assert refusal(address) is None


# -- Addresses as they are written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://hook.example", ("https", "hook.example", 443, "/", "")),
        ("http://hook.example:8080/a/b?c=d", ("http", "hook.example", 8080, "/a/b?c=d", "")),
        ("http://[::1]:9093/x", ("http", "::1", 9093, "/x", "")),
        ("https://jo:p%40ss@hook.example/", ("https", "hook.example", 443, "/", "jo:p@ss")),
        ("https://bücher.example/ä?ö=%20", ("https", "xn--bcher-kva.example", 443, "/%C3%A4?%C3%B6=%20", "")),
        ("https://hook.example/a#fragment", ("https", "hook.example", 443, "/a", "")),
    ],
)
def test_an_address_is_taken_apart(text, expected):
    assert tuple(parse_url(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hook.example",
        "ftp://hook.example",
        "file:///etc/passwd",
        "http://",
        "http://a b/",
        "http://a\r\nX: y/",
        "http://a:99999/",
        "http://a:0/",
        "http://[::1/",
        "https://" + "ä" * 300 + ".example",
        "http://a..b/",
        "http://a/\u202ex",
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match=r"^(is no address|has)"):
        parse_url(text)


# -- Settings


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ("", 'has no url; add url = "…", url_file = "PATH" or url_env = "NAME" of what holds it'),
        ("url = 7", "url is no text; put it into quotes"),
        ('url = "nothing"', "url is no address; write it as https://host/path"),
        ('url = "http://169.254.169.254/x"', "url leads to 169.254.169.254, a link-local address; allow_link_local = true allows it"),
        ('url_env = "NONE"', 'url_env = "NONE" is no environment variable that is set'),
        ('url_file = "none"', "url_file cannot be used: the file /nowhere/none cannot be read: No such file or directory"),
        ('url_env = "BAD"', "url_env cannot be used: the environment variable BAD is no address; write it as https://host/path"),
        ('url = "http://a.example"\nurl_env = "GOOD"', "url_env and url are both given; leave one"),
        ('url_env = "GOOD"\nurll = "http://geheim"', "urll is not known; do you mean url?"),
        ('url_env = "GOOD"\nca_file = "none.pem"', 'ca_file = "none.pem" cannot be read: No such file or directory: /nowhere/none.pem'),
        ('url_env = "GOOD"\ntoken = "geheim"', 'token is a secret, which this file is no place for; put it into a file, and name that: token_file = "PATH"; or into the environment: token_env = "NAME"'),
        ('url_env = "GOOD"\nuser = "jo"', 'user is given without password_file = "PATH" or password_env = "NAME"'),
        ('url_env = "GOOD"\npassword_env = "LINES"\nuser = "jo"', "password_env cannot be used: the environment variable LINES has other characters than letters, digits and signs of ASCII"),
        ('url_env = "GOOD"\npassword_env = "BAD"', "has a password and no user"),
        ('url_env = "GOOD"\nuser = "jo"\npassword_env = "BAD"\ntoken_env = "BAD"', "user and a token are both given; leave one"),
        ('url_env = "GOOD"\nallow_link_local = "yes"', 'allow_link_local = "yes" is neither true nor false'),
        ('url_env = "GOOD"\nproxy = "https://proxy.example"', "proxy is to be an http:// address; what passes through it to https:// is encrypted"),
        ('url_env = "GOOD"\nkey = "/dev/null"', "key is given without certificate"),
        ('url_env = "GOOD"\nca_file = "/dev/null"', "ca_file holds no certificates in PEM form: NO_CERTIFICATE_OR_CRL_FOUND"),
        ('url_env = "EMPTY"', "url_env cannot be used: the environment variable EMPTY is empty"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_without_secrets(settings, fault):
    environment = {"GOOD": "http://a.example", "BAD": "geheim", "EMPTY": "", "LINES": "a\nb"}
    target, faults = made(f'kind = "webhook"\n{settings}', environment=environment)
    assert target is None
    assert faults == [fault]
    assert "geheim" not in fault


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        ('user = "jo"\npassword_file = "word"', "Basic am86cDpzcw=="),
        ('token_file = "word"', "Bearer p:ss"),
    ],
)
def test_users_and_tokens_are_shown_to_the_receiver(receiver, tmp_path, settings, sent):
    (tmp_path / "word").write_text("p:ss\n")
    target, faults = made(f'kind = "webhook"\nurl = "{receiver.url}"\n{settings}', tmp_path)
    assert faults == []
    target.send(notice())
    assert receiver.requests[0].headers["Authorization"] == sent


def test_a_file_that_holds_no_secret_any_more_is_said_without_what_it_holds(receiver, tmp_path, caplog):
    (tmp_path / "token").write_text("good")
    target, _ = made(f'kind = "webhook"\nurl = "{receiver.url}"\ntoken_file = "token"', tmp_path)
    (tmp_path / "token").write_text("geheim\r\nX-Header: geheim")
    said = target.send(notice())
    assert said == Retry(
        f"the file {tmp_path / 'token'} has other characters than letters, digits and signs of ASCII"
    )
    assert receiver.requests == []


@pytest.mark.parametrize("user", ["jö", "a:b", "a\nb", " a"])
def test_users_are_of_signs_that_every_server_takes(user):
    _, faults = made(
        f'kind = "webhook"\nurl = "http://a.example"\nuser = {json.dumps(user)}\npassword_env = "P"',
        environment={"P": "geheim"},
    )
    assert len(faults) == 1
    assert "has other characters" in faults[0]


def test_an_address_that_is_allowed_is_used():
    target, faults = made('kind = "webhook"\nurl = "http://169.254.1.1"\nallow_link_local = true')
    assert (target is None, faults) == (False, [])
