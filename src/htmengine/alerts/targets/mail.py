"""Mail, by SMTP: the messages of an incident are one thread, each with the same id at every try."""

from __future__ import annotations

import email.utils
import re
import smtplib
import socket
import ssl
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast, get_args

from htmengine.alerts.notice import Notice, body_lines
from htmengine.alerts.targets.api import Delivered, Outcome, Refused, Retry
from htmengine.alerts.targets.connections import ALLOW, Deadline, connected
from htmengine.alerts.targets.http import explained
from htmengine.alerts.targets.secrets import Secret, SecretUnavailable, hide
from htmengine.alerts.targets.settings import Settings, refuse_address
from htmengine.alerts.targets.texts import one_line
from htmengine.alerts.targets.tls import Tls
from htmengine.alerts.toml_tables import choice, count, text, texts

KIND: Final = "mail"
Security: TypeAlias = Literal["starttls", "tls", "none"]
PORTS: Final[Mapping[Security, int]] = {"starttls": 587, "tls": 465, "none": 25}
MAX_ADDRESS: Final = 254
MAX_SUBJECT: Final = 200
MAX_LINE: Final = 2000
MAX_REASON: Final = 300
MAX_RECIPIENTS: Final = 50
MAX_KEPT: Final = 1000
"""Of so many messages that some recipients have it is remembered."""

_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
)
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+(?:%[A-Za-z0-9]+)?")


class Server(NamedTuple):
    """A mail server, and how to speak to it."""

    host: str
    port: int
    security: Security
    tls: Tls
    login: tuple[str, Secret] | None = None
    """User and password."""
    allow_link_local: bool = False


class _Session(smtplib.SMTP):
    """A session on a connection that is there already."""

    def __init__(self, server: Server, sock: socket.socket, own_name: str, deadline: Deadline) -> None:
        self._given = sock
        super().__init__(server.host, server.port, own_name, timeout=deadline.left_s())

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._given


class Mail:
    """Sends a message for each notice.

    Parameters
    ----------
    sender, recipients : addresses, as `name@example.com`.
    """

    kind = KIND
    repeat_s = None
    repeat_resolved_s = 0.0

    def __init__(self, name: str, server: Server, sender: str, recipients: Sequence[str]) -> None:
        self.name = name
        self._server = server
        self._sender = sender
        self._recipients = list(recipients)
        # Not a state of incidents: without it, whoever has a message would get it again when another recipient's server is
        # to be asked later.
        self._have: OrderedDict[str, set[str]] = OrderedDict()

    def send(self, notice: Notice) -> Outcome:
        """Send its message to those who have it not yet."""
        have = self._have.get(notice.id, set())
        missing = [one for one in self._recipients if one not in have]
        secrets: list[str] = []
        try:
            login = None
            if self._server.login is not None:
                user, password = self._server.login
                secrets.append(password.reveal())
                login = user, secrets[0]
            refused = self._hand_over(message(notice, self._sender, self._recipients), missing, login)
        except SecretUnavailable as error:
            return Retry(str(error))
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        except smtplib.SMTPNotSupportedError as error:
            return Refused(one_line(f"{error}; see security and user", MAX_REASON))
        except smtplib.SMTPResponseException as error:
            return _answered(error.smtp_code, hide(_said(error.smtp_error), secrets))
        except ssl.SSLCertVerificationError as error:
            return Retry(f"its certificate is not trusted: {error.verify_message}")
        except smtplib.SMTPServerDisconnected:
            return Retry("the server ended the connection")
        except smtplib.SMTPException as error:
            return Retry(one_line(hide(str(error), secrets), MAX_REASON))
        except OSError as error:
            return Retry(explained(error))
        return self._noted(notice, missing, refused)

    def _hand_over(
        self, mail: EmailMessage, recipients: Sequence[str], login: tuple[str, str] | None
    ) -> Mapping[str, tuple[int, bytes]]:
        """Send a message, and return who is refused, with the reason."""
        server = self._server
        deadline = Deadline()
        refused: Mapping[str, tuple[int, bytes]] | None = None
        try:
            with connected(
                server.host, server.port, deadline, allow_link_local=server.allow_link_local
            ) as sock:
                if server.security == "tls":
                    sock = server.tls.context().wrap_socket(sock, server_hostname=server.host)
                session = _Session(server, sock, _own_name(self._sender), deadline)
                with closing(session):
                    if server.security == "starttls":
                        session.starttls(context=server.tls.context())
                    if login is not None:
                        session.login(*login)
                    refused = session.send_message(mail, self._sender, list(recipients))
                    session.quit()
        except (OSError, smtplib.SMTPException):
            if refused is None:
                raise
            # It has the message; how it says goodbye does not matter.
        return refused

    def _noted(
        self, notice: Notice, asked: Sequence[str], refused: Mapping[str, tuple[int, bytes]]
    ) -> Outcome:
        """Return what came of it for all recipients together."""
        have = self._have.pop(notice.id, set()) | (set(asked) - set(refused))
        why = "; ".join(f"{one}: {code} {_said(said)}" for one, (code, said) in refused.items())
        if any(400 <= code < 500 for code, _ in refused.values()):
            # Who is refused for good is asked again with those who are not: that does no harm.
            self._have[notice.id] = have
            while len(self._have) > MAX_KEPT:
                self._have.popitem(last=False)
            return Retry(one_line(why, MAX_REASON))
        if not have:
            return Refused(one_line(why, MAX_REASON))
        return Delivered(one_line(f"not taken for {why}", MAX_REASON) if refused else "")

    def describe(self) -> Mapping[str, str]:
        """Return its settings, without secrets."""
        return {
            "to": ", ".join(self._recipients),
            "from": self._sender,
            "server": f"{self._server.host}:{self._server.port}",
            "security": self._server.security,
        }

    def close(self) -> None:
        """Nothing is held."""

    def __repr__(self) -> str:
        return f"Mail({self.name}, {', '.join(self._recipients)})"


def _own_name(sender: str) -> str:
    """Return as whom to greet the server; to ask the system for its full name may take as long as it likes."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else sender.rpartition("@")[2]


def _answered(code: int, said: str) -> Outcome:
    reason = one_line(f"SMTP {code}: {said}", MAX_REASON)
    return Refused(reason) if 500 <= code < 600 else Retry(reason)


def _said(answer: bytes | str) -> str:
    said = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return " ".join(said.split())


def message(notice: Notice, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """Return the message of a notice."""
    domain = sender.rpartition("@")[2]
    first = f"<{notice.first.id}.{notice.installation}@{domain}>"
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = one_line(notice.title, MAX_SUBJECT)
    mail["From"] = Address("htmengine", addr_spec=sender)
    mail["To"] = [Address(addr_spec=one) for one in recipients]
    mail["Date"] = email.utils.format_datetime(datetime.fromtimestamp(notice.time, UTC))
    mail["Message-ID"] = f"<{notice.id}.{notice.installation}@{domain}>"
    if not notice.is_first:
        mail["In-Reply-To"] = first
        mail["References"] = first
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    if notice.severity == "critical" and notice.kind != "resolved":
        mail["Importance"] = "high"
    lines = [one_line(line, MAX_LINE) for line in body_lines(notice)]
    facts = [
        f"Incident {notice.incident}, {notice.state}, {notice.severity}. Rule: {notice.rule}.",
        f"Installation {notice.installation}.",
    ]
    mail.set_content("\n".join([*lines, "", *facts, ""]), cte="quoted-printable")
    return mail


def read(settings: Settings) -> Mail | None:
    """Return the target of a table; None where something in it is wrong."""
    allowed = settings.flag(ALLOW)

    def host_of(value: Any) -> str:
        host = text(value)
        if not _HOST.fullmatch(host) or len(host) > MAX_ADDRESS:
            raise ValueError("is no name of a machine, and no address")
        if not allowed:
            refuse_address(host)
        return host

    host = settings.required("host", host_of, '"mail.example.com"')
    security = cast(Security, settings.get("security", choice(*get_args(Security))) or "starttls")
    port = settings.get("port", _port)
    sender = settings.required("from", _address, '"alerts@example.com"')
    recipients = settings.required("to", _addresses, '["ops@example.com"]')
    login = settings.login(_check_password)
    tls = settings.tls()
    if login is not None and security == "none":
        settings.table.fault(
            "user", 'is given with security = "none", which would show the password to all on the way'
        )
    if host is None or sender is None or recipients is None or tls is None:
        return None
    server = Server(host, port or PORTS[security], security, tls, login, allowed)
    return Mail(settings.name, server, sender, recipients)


def _port(value: Any) -> int:
    port = count(value)
    if port > 65_535:
        raise ValueError("is no port: these are from 1 to 65535")
    return port


def _address(value: Any) -> str:
    address = text(value)
    if not _ADDRESS.fullmatch(address) or len(address) > MAX_ADDRESS:
        raise ValueError("is no address; write it as name@example.com")
    try:
        Address(addr_spec=address)
    except (ValueError, HeaderParseError):
        raise ValueError("is no address; write it as name@example.com") from None
    return address


def _addresses(value: Any) -> list[str]:
    found = list(dict.fromkeys(_address(one) for one in texts(value)))
    if len(found) > MAX_RECIPIENTS:
        raise ValueError(f"has more than {MAX_RECIPIENTS} addresses; use a mailing list")
    return found


def _check_password(value: str) -> None:
    if not value.isprintable() or not value.isascii():
        raise ValueError("has other characters than letters, digits and signs of ASCII")
