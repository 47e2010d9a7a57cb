"""Who is at the other end of a connection."""

from __future__ import annotations

import asyncio


def peer_of(transport: asyncio.BaseTransport) -> str:
    """Return the address of a connection's other end, without its port; "" where it is gone already."""
    address = transport.get_extra_info("peername")
    return str(address[0]) if address else ""
