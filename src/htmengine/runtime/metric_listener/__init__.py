"""The metric listener: a Graphite-compatible port for lines `name value timestamp`, over TCP or UDP.

Start it with `python -m htmengine.runtime.metric_listener`. The names here are the documented ones.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import Final

from htmengine import config
from htmengine.doors import plaintext


class Protocol:
    """What the port speaks."""

    PLAIN: Final = plaintext.PROTOCOL

    @staticmethod
    def values() -> tuple[str, ...]:
        """Return the names of all protocols."""
        return (Protocol.PLAIN,)

    @staticmethod
    def getDefaultPort(protocol: str) -> int:
        """Return the configured port of a protocol. Raises ValueError for an unknown one."""
        _require_known(protocol)
        directory = config.config_dir_from_environment()
        return config.load(directory).listener.port if directory else config.Listener().port


def parsePlaintext(data: str) -> list[str | float | datetime]:
    """Return name, value and naive UTC datetime of a line. Raises ValueError for anything else."""
    sample = plaintext.parse_line(data)
    return [sample.name, sample.value, datetime(1970, 1, 1) + timedelta(seconds=sample.timestamp)]


def runServer(
    host: str | None, port: int | None, protocol: str = Protocol.PLAIN, transport: str = "tcp"
) -> None:
    """Listen until SIGTERM or SIGINT, with the configuration that APPLICATION_CONFIG_PATH names. Exits the process.

    Raises ValueError for an unknown protocol.
    """
    from htmengine.runtime.metric_listener.server import main

    _require_known(protocol)
    argv = ["--protocol", protocol, "--transport", transport]
    argv += ["--host", host] if host else []
    argv += ["--port", str(port)] if port is not None else []
    sys.exit(main(argv))


def _require_known(protocol: str) -> None:
    if protocol not in Protocol.values():
        raise ValueError(f'the protocol "{protocol}" is not known; known are: {", ".join(Protocol.values())}')
