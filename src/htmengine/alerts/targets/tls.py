"""Whom to trust in encrypted connections, and how to show who we are."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path
from typing import TypeAlias

_Stamp: TypeAlias = tuple[int, int] | None


class Tls:
    """Gives the context of connections. Files that have changed are read again: certificates are renewed every few weeks.

    Parameters
    ----------
    authorities : certificates that are trusted; None: the system's.
    certificate, key : how to show who we are; the key may be in the certificate's file.
    """

    def __init__(
        self, authorities: Path | None = None, certificate: Path | None = None, key: Path | None = None
    ) -> None:
        self._authorities = authorities
        self._certificate = certificate
        self._key = key
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        self._stamps: list[_Stamp] = []

    def context(self) -> ssl.SSLContext:
        """Return the context for a connection. Raises OSError with a text that says which file cannot be used."""
        stamps = [_stamp(file) for file in (self._authorities, self._certificate, self._key)]
        with self._lock:
            if self._context is None or stamps != self._stamps:
                self._context = self._made()
                self._stamps = stamps
            return self._context

    def _made(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self._authorities)
        except (OSError, ValueError) as error:
            raise OSError(f"ca_file holds no certificates in PEM form: {_why(error)}") from None
        if self._certificate is not None:
            try:
                # Without an answer, OpenSSL would ask whoever sits at the terminal for the password of the key.
                context.load_cert_chain(self._certificate, self._key, password=lambda: "")
            except (OSError, ValueError) as error:
                raise OSError(f"certificate cannot be used with its key: {_why(error)}") from None
        return context


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _stamp(file: Path | None) -> _Stamp:
    if file is None:
        return None
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
