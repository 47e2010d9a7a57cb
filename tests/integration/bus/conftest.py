"""The fixtures of tests/unit/bus, for buses that need a server."""

from tests.unit.bus.conftest import *  # noqa: F403
