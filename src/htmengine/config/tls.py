"""Encrypted connections to servers."""

from __future__ import annotations

import ssl

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
