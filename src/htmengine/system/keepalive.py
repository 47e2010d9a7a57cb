"""Probes of TCP: a connection whose other side has vanished, behind a router or without power, is found out."""

from __future__ import annotations

import math


def tcp_options(timeout_s: float) -> dict[str, int]:
    """Return options of a socket, by the names of their constants: one that is silent for so long is closed."""
    third = max(1, math.ceil(timeout_s / 3))
    return {
        "TCP_KEEPIDLE": third,
        "TCP_KEEPINTVL": third,
        "TCP_KEEPCNT": 2,
        "TCP_USER_TIMEOUT": math.ceil(1000 * timeout_s),
    }
