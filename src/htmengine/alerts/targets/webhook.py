"""Any program that takes JSON over HTTP, signed as Standard Webhooks 1.0 says.

`webhook-id` is the same for all tries of a notice: by it a receiver knows what it has already. The signature is over the id,
the time of the try and the body, with each of the secrets, so that a receiver may hold the old or the new one while they are
exchanged.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, TypeAlias, cast, get_args

from htmengine.alerts.notice import Notice
from htmengine.alerts.targets import alertmanager, event
from htmengine.alerts.targets.api import Outcome, Retry
from htmengine.alerts.targets.http import Receiver
from htmengine.alerts.targets.secrets import Secret, SecretUnavailable
from htmengine.alerts.targets.settings import Settings
from htmengine.alerts.toml_tables import choice

KIND: Final = "webhook"
Format: TypeAlias = Literal["htmengine", "alertmanager"]
PREFIX: Final = "whsec_"
SECRET_BYTES: Final = (24, 64)
MAX_SECRETS: Final = 5


class Webhook:
    """Posts each notice once.

    Parameters
    ----------
    secret : signs; several, a line each, while they are exchanged. None: nothing is signed.
    body_format : `htmengine`, or that of Alertmanager's webhooks.
    clock : seconds since the epoch.
    """

    kind = KIND
    repeat_s = None
    repeat_resolved_s = 0.0

    def __init__(
        self,
        name: str,
        receiver: Receiver,
        *,
        secret: Secret | None = None,
        body_format: Format = "htmengine",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._receiver = receiver
        self._secret = secret
        self._format = body_format
        self._clock = clock

    def send(self, notice: Notice) -> Outcome:
        """Post it."""
        if self._format == "alertmanager":
            body = alertmanager.webhook_body(notice, self.name)
        else:
            body = event.encoded(notice)
        secrets: list[str] = []
        if self._secret is not None:
            try:
                secrets = self._secret.reveal().split()
            except SecretUnavailable as error:
                return Retry(str(error))
        headers = signed(notice.id, int(self._clock()), body, keys(secrets))
        return self._receiver.post(body, headers, hidden=secrets)

    def describe(self) -> Mapping[str, str]:
        """Return its settings, without secrets."""
        return {
            "url": self._receiver.shown,
            "format": self._format,
            "signed": "no" if self._secret is None else "yes",
        }

    def close(self) -> None:
        """Nothing is held."""

    def __repr__(self) -> str:
        return f"Webhook({self.name}, {self._receiver.shown})"


def signed(id_: str, timestamp: int, body: bytes, secrets: Sequence[bytes]) -> dict[str, str]:
    """Return the headers of Standard Webhooks for a body."""
    signatures = [
        base64.b64encode(hmac.digest(key, f"{id_}.{timestamp}.".encode() + body, hashlib.sha256)).decode()
        for key in secrets
    ]
    headers = {"webhook-id": id_, "webhook-timestamp": str(timestamp)}
    if signatures:
        headers["webhook-signature"] = " ".join(f"v1,{signature}" for signature in signatures)
    return headers


def keys(secrets: Sequence[str]) -> list[bytes]:
    """Return the bytes of secrets. Raises ValueError that says what is wrong, without them."""
    if len(secrets) > MAX_SECRETS:
        raise ValueError(f"has more than {MAX_SECRETS} secrets, a line each")
    return [_key(one) for one in secrets]


def _key(text: str) -> bytes:
    low, high = SECRET_BYTES
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(PREFIX) or not low <= len(key) <= high:
        raise ValueError(
            f"holds no secret of Standard Webhooks: {PREFIX} and the base64 of {low} to {high} random bytes; "
            f'make one with: echo "{PREFIX}$(openssl rand -base64 32)"'
        )
    return key


def read(settings: Settings) -> Webhook | None:
    """Return the target of a table; None where something in it is wrong."""
    receiver = settings.receiver()
    secret = settings.secret("secret", lambda value: keys(value.split()))
    body_format = cast(Format | None, settings.get("format", choice(*get_args(Format))))
    if receiver is None:
        return None
    return Webhook(settings.name, receiver, secret=secret, body_format=body_format or "htmengine")
