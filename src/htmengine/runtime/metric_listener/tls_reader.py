"""Bytes of an encrypted connection become those that were sent.

The handshake is done here and not by the event loop, which does not say why one failed.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Final

from htmengine.doors.reasons import Reason

_STEP: Final = 1 << 16
_HANDSHAKE: Final = 0x16
"""The first byte of a client that speaks TLS."""


class HandshakeFailed(Exception):
    """The connection cannot be used."""

    def __init__(self, reason: Reason, detail: str | bytes) -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.detail = detail


class TlsReader:
    """Decrypts what a client sends.

    Parameters
    ----------
    send : takes what TLS has to say to the client.
    """

    def __init__(self, context: ssl.SSLContext, send: Callable[[bytes], object]) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._send = send
        self._begun = self._shaken = False

    def feed(self, data: bytes) -> bytes:
        """Return what is decrypted now. Raises HandshakeFailed, or ssl.SSLError for what was damaged on its way."""
        if not self._begun:
            self._begun = True
            if data[:1] != bytes([_HANDSHAKE]):
                raise HandshakeFailed(Reason.NO_TLS_HERE, data)
        self._incoming.write(data)
        try:
            return self._decrypted() if self._shaken or self._shake() else b""
        finally:
            if answer := self._outgoing.read():
                self._send(answer)

    def _shake(self) -> bool:
        """Go on with the handshake; return whether it is done."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLCertVerificationError as error:
            raise HandshakeFailed(Reason.BAD_CERTIFICATE, error.verify_message) from error
        except ssl.SSLError as error:
            name = error.reason or ""
            missing = name == "PEER_DID_NOT_RETURN_A_CERTIFICATE"
            detail = name.replace("_", " ").lower()
            raise HandshakeFailed(
                Reason.NO_CERTIFICATE if missing else Reason.HANDSHAKE, "" if missing else detail
            ) from error
        self._shaken = True
        return True

    def _decrypted(self) -> bytes:
        found = bytearray()
        while True:
            try:
                part = self._tls.read(_STEP)
            except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):  # no more now, or at all
                return bytes(found)
            if not part:
                return bytes(found)
            found += part
