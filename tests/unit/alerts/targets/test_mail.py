import email
import re
import ssl
from email.policy import default

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from htmengine.alerts.targets import mail
from htmengine.alerts.targets.api import Delivered, Refused, Retry
from htmengine.alerts.targets.connections import Deadline
from tests import servers
from tests.unit.alerts.notices import notice
from tests.unit.alerts.targets.receiving import made, nasty_notice, raw_server, target_of

PASSWORD = "geheim-123"


class Mailbox:
    """Notes what comes, and answers as it is told: `rcpt` by recipient, `data` to all."""

    def __init__(self):
        self.envelopes = []
        self.rcpt = {}
        self.data = []
        self.logins = []

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        answer = self.rcpt.get(address, "250 fine")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        answer = self.data.pop(0) if self.data else "250 taken"
        if answer.startswith("250"):
            self.envelopes.append((envelope.mail_from, envelope.rcpt_tos, envelope.content, session.ssl))
        return answer

    def authenticate(self, server, session, envelope, mechanism, data):
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)

    @property
    def messages(self):
        return [email.message_from_bytes(content, policy=default) for _, _, content, _ in self.envelopes]


@pytest.fixture
def mailbox():
    return Mailbox()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return servers.make_certificate(tmp_path_factory.mktemp("tls"), "localhost", "DNS:localhost")


@pytest.fixture
def server(mailbox, certificate):
    """Give what starts a server for the mailbox, and returns its port."""
    started = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def start(security):
        class OnFreePort(Controller):
            def factory(self):
                return SMTP(
                    self.handler,
                    hostname="mail.example",
                    tls_context=context if security == "starttls" else None,
                    require_starttls=security == "starttls",
                    auth_require_tls=False,
                    authenticator=mailbox.authenticate,
                )

        (port,) = servers.free_ports(1)
        controller = OnFreePort(
            mailbox,
            hostname="127.0.0.1",
            port=port,
            ssl_context=context if security == "tls" else None,
            server_hostname="mail.example",
        )
        controller.start()
        started.append(controller)
        return port

    yield start
    for controller in started:
        controller.stop()


def settings(port, security="none", more=""):
    return (
        f'kind = "mail"\nhost = "localhost"\nport = {port}\nsecurity = "{security}"\n'
        f'from = "alerts@engine.example"\nto = ["ann@ops.example", "bob@ops.example"]\n{more}'
    )


@pytest.fixture
def target(server):
    return target_of(settings(server("none")))


def test_a_message_tells_what_has_happened(mailbox, target):
    assert target.send(notice()) == Delivered()
    ((sender, recipients, _, _),) = mailbox.envelopes
    assert (sender, recipients) == ("alerts@engine.example", ["ann@ops.example", "bob@ops.example"])
    (message,) = mailbox.messages
    assert message["Subject"] == "Warning: db.latency;dc=a and 1 other metric"
    assert message["From"] == "htmengine <alerts@engine.example>"
    assert message["To"] == "ann@ops.example, bob@ops.example"
    assert message["Date"] == "Tue, 14 Nov 2023 22:15:30 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    lines = message.get_content().splitlines()
    assert lines[0].startswith("began with db.latency;dc=a: 932 is far above")
    assert "https://engine.example/i/i7" in lines
    assert "Incident i7, open, warning. Rule: databases." in lines


def test_the_messages_of_an_incident_are_one_thread(mailbox, target):
    for sent in (notice(), notice("grew", number=2), notice("resolved", number=3)):
        assert target.send(sent) == Delivered()
    first, second, third = mailbox.messages
    assert first["Message-ID"] == "<i7.1.here@engine.example>"
    assert first["References"] is None
    for reply in (second, third):
        assert reply["In-Reply-To"] == reply["References"] == first["Message-ID"]
    assert len({message["Message-ID"] for message in mailbox.messages}) == 3
    assert third["Subject"].startswith("Resolved: ")


def test_every_try_sends_the_same(mailbox, target):
    mailbox.data = ["451 later"]
    assert target.send(notice()) == Retry("SMTP 451: later")
    assert target.send(notice()) == Delivered()
    assert target.send(notice()) == Delivered()
    first, second = (content for _, _, content, _ in mailbox.envelopes)
    assert first == second


def test_names_end_no_header_and_no_line(mailbox, target):
    assert target.send(nasty_notice()) == Delivered()
    (message,) = mailbox.messages
    # Where a header is folded, the library that reads it adds a blank.
    assert " ".join(message["Subject"].split()).startswith(
        'Warning: web;q="1"\\r\\nSubject: <script>alert(1)</script> <!channel> \\x1b[31m\\x00\\u202e`*_~'
    )
    assert len(message["Subject"]) <= 210
    assert message.get_all("Subject") == [message["Subject"]]
    raw = mailbox.envelopes[0][2]
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert raw.isascii()
    assert re.search(r"^Subject:", message.get_content(), re.MULTILINE) is None


def test_a_name_of_one_point_does_not_end_the_message(mailbox, target):
    assert target.send(nasty_notice(sentence="a\r\n.\r\nQUIT", first_mover=".\r\n.")) == Delivered()
    assert "Incident i7" in mailbox.messages[0].get_content()


# -- Who takes it


def test_who_has_a_message_does_not_get_it_again_while_others_are_asked_again(mailbox, target):
    mailbox.rcpt["bob@ops.example"] = "450 come back"
    said = target.send(notice())
    assert said == Retry("bob@ops.example: 450 come back")
    del mailbox.rcpt["bob@ops.example"]
    assert target.send(notice()) == Delivered()
    assert [recipients for _, recipients, _, _ in mailbox.envelopes] == [
        ["ann@ops.example"],
        ["bob@ops.example"],
    ]
    assert target.send(notice("grew", number=2)) == Delivered()
    assert mailbox.envelopes[-1][1] == ["ann@ops.example", "bob@ops.example"]


def test_who_is_unknown_keeps_nobody_from_it(mailbox, target):
    mailbox.rcpt["bob@ops.example"] = "550 no such user"
    assert target.send(notice()) == Delivered("not taken for bob@ops.example: 550 no such user")
    assert [recipients for _, recipients, _, _ in mailbox.envelopes] == [["ann@ops.example"]]


@pytest.mark.parametrize(("answer", "kind"), [("450 later", Retry), ("550 never", Refused)])
def test_where_nobody_takes_it_the_server_says_whether_to_come_back(mailbox, target, answer, kind):
    mailbox.rcpt = dict.fromkeys(["ann@ops.example", "bob@ops.example"], answer)
    said = target.send(notice())
    assert isinstance(said, kind)
    assert answer in said.reason


def test_a_message_that_is_refused_is_not_sent_again(mailbox, target):
    mailbox.data = ["554 spam"]
    assert target.send(notice()) == Refused("SMTP 554: spam")


# -- Connections


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_is_spoken_to_encrypted_and_logged_in_to(mailbox, server, certificate, tmp_path, security):
    (tmp_path / "password").write_text(PASSWORD + "\n")
    more = f'ca_file = "{certificate[0]}"\nuser = "engine"\npassword_file = "password"'
    target = target_of(settings(server(security), security, more), tmp_path)
    assert target.send(notice()) == Delivered()
    assert mailbox.envelopes[0][3] is not None or security == "tls"
    assert mailbox.logins == [(b"engine", PASSWORD.encode())]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_gets_no_password(mailbox, server, security):
    more = 'user = "engine"\npassword_env = "WORD"'
    target = target_of(settings(server(security), security, more), environment={"WORD": PASSWORD})
    said = target.send(notice())
    assert isinstance(said, Retry)
    assert "certificate is not trusted" in said.reason
    assert mailbox.logins == []


def test_a_wrong_password_is_said_and_not_shown(mailbox, server, certificate):
    more = f'ca_file = "{certificate[0]}"\nuser = "engine"\npassword_env = "WORD"'
    target = target_of(settings(server("starttls"), "starttls", more), environment={"WORD": "falsch-falsch"})
    said = target.send(notice())
    assert isinstance(said, Refused)
    assert said.reason.startswith("SMTP 535")
    assert "falsch" not in f"{said} {target!r} {target.describe()} {vars(target)}"


def test_a_server_without_starttls_gets_nothing(mailbox, server):
    said = target_of(settings(server("none"), "starttls")).send(notice())
    assert isinstance(said, Refused)
    assert "STARTTLS" in said.reason
    assert mailbox.envelopes == []


def test_a_server_that_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(mail, "Deadline", lambda: Deadline(0.05))
    with raw_server(lambda connection: None) as port:
        said = target_of(settings(port).replace("localhost", "127.0.0.1")).send(notice())
    assert isinstance(said, Retry)
    assert "it took" in said.reason


@pytest.mark.parametrize(
    "greeting", [b"", b"421 busy\r\n", b"554 no\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"]
)
def test_what_is_no_mail_server_for_us_is_said(greeting):
    def serve(connection):
        connection.sendall(greeting)
        connection.close()

    with raw_server(serve) as port:
        said = target_of(settings(port).replace("localhost", "127.0.0.1")).send(notice())
    assert isinstance(said, Refused if greeting.startswith(b"554") else Retry)


def test_a_server_that_ends_the_connection_after_it_has_the_message_has_it():
    def serve(connection):
        lines = connection.makefile("rb")
        connection.sendall(b"220 hi\r\n")
        for line in lines:
            if line.upper().startswith(b"DATA"):
                connection.sendall(b"354 go on\r\n")
                while lines.readline() != b".\r\n":
                    pass
                connection.sendall(b"250 taken\r\n")
                connection.shutdown(2)
                return
            connection.sendall(b"250 fine\r\n")

    with raw_server(serve) as port:
        assert target_of(settings(port).replace("localhost", "127.0.0.1")).send(notice()) == Delivered()


# -- Settings

GOOD = 'host = "mail.example"\nfrom = "a@b.example"\nto = "c@d.example"\n'


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        (GOOD.replace("host", "hosts"), 'has no host; add for example host = "mail.example.com"'),
        (GOOD.replace("mail.example", "mail.example\\r\\nX"), 'host = "mail.example\\r\\nX" is no name of a machine, and no address'),
        (GOOD.replace("mail.example", "169.254.169.254"), 'host = "169.254.169.254" leads to 169.254.169.254, a link-local address; allow_link_local = true allows it'),
        (GOOD + "port = 70000", "port = 70000 is no port: these are from 1 to 65535"),
        (GOOD + 'security = "ssl"', 'security = "ssl" is none of starttls, tls, none'),
        (GOOD.replace("c@d.example", "c"), 'to = "c" is no address; write it as name@example.com'),
        (GOOD.replace("c@d.example", "c@d.example\\nBcc: x@y"), 'to = "c@d.example\\nBcc: x@y" is no address; write it as name@example.com'),
        (GOOD.replace("a@b.example", "a@b..example"), None),
        (GOOD + 'user = "x"', 'user is given without password_file = "PATH" or password_env = "NAME"'),
        (GOOD + 'user = "x"\npassword_env = "WORD"\nsecurity = "none"', 'user is given with security = "none", which would show the password to all on the way'),
        (GOOD + 'password = "geheim"', None),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(settings, fault):
    target, faults = made(f'kind = "mail"\n{settings}', environment={"WORD": "geheim"})
    if fault is None:
        assert "geheim" not in str(faults)
    else:
        assert target is None
        assert faults[0] == fault


def test_ports_are_those_of_the_way_of_encryption():
    for security, port in (("starttls", 587), ("tls", 465), ("none", 25)):
        target = target_of(f'kind = "mail"\n{GOOD}security = "{security}"')
        assert target.describe()["server"] == f"mail.example:{port}"
