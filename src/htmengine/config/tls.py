"""Encrypted connections: to servers, and of clients."""

from __future__ import annotations

import ssl
from pathlib import Path

from htmengine.config.settings import Broker, Repository
from htmengine.errors import ConfigError


def client_context(server: Broker | Repository) -> ssl.SSLContext | None:
    """Return whom to trust and how to show who we are; None where the connection is not to be encrypted.

    Raises
    ------
    ConfigError : a file cannot be used.
    """
    if not server.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=server.ca_file)
        if server.certificate:
            context.load_cert_chain(server.certificate, server.key)
    except (OSError, ValueError) as error:
        named = [server.ca_file, server.certificate, server.key]
        raise ConfigError(
            f"{', '.join(str(file) for file in named if file)}: TLS cannot be set up: {error}.",
            hint="Name readable files in PEM form: "
            + (
                "ca_file, certificate and key in the section [tls] of rabbitmq.conf."
                if isinstance(server, Broker)
                else "tls_ca_file, tls_certificate and tls_key in the section [repository] of application.conf."
            ),
        ) from error
    return context


def server_context(certificate: Path, key: Path, client_ca_file: Path | None, section: str) -> ssl.SSLContext:
    """Return how a port of ours shows who we are, and whom it lets in.

    Parameters
    ----------
    client_ca_file : clients must show a certificate that one of these issued; None: they need none.
    section : of `application.conf`, whose options name the files.

    Raises
    ------
    ConfigError : a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # A sender of lines reads nothing. If it closes while something of ours lies unread there, its system resets the
    # connection, and what it sent last is lost on its way.
    context.num_tickets = 0
    try:
        # Nobody is there who could type a password.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"[{section}] tls_certificate = {certificate}, tls_key = {key}: cannot be used: {_reason(error)}.",
            hint="Name a certificate and its private key without a password, both PEM files that this user may read.",
        ) from error
    if client_ca_file:
        try:
            context.load_verify_locations(client_ca_file)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"[{section}] tls_client_ca_file = {client_ca_file}: cannot be used: {_reason(error)}.",
                hint="Name a PEM file that this user may read, with the certificates that issue those of the senders.",
            ) from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _reason(error: Exception) -> object:
    """Say what is wrong with a file, without the names that libraries give it."""
    if isinstance(error, ssl.SSLError):
        if (
            error.reason in ("PEM_LIB", "NO_START_LINE", "NO_CERTIFICATE_OR_CRL_FOUND")
            or error.reason is None
        ):
            return "not in PEM form, or the key has a password"
        return error.reason.replace("_", " ").lower()
    return error.strerror if isinstance(error, OSError) and error.strerror else error
