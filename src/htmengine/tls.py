"""Encrypted connections to servers."""

from __future__ import annotations

import ssl

from htmengine.config import Broker, Repository


def client_context(server: Broker | Repository) -> ssl.SSLContext:
    """Return whom to trust and how to show who we are. Raises OSError and ValueError for files that cannot be used."""
    context = ssl.create_default_context(cafile=server.ca_file)
    if server.certificate:
        context.load_cert_chain(server.certificate, server.key)
    return context
