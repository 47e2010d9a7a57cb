"""The fixtures of tests/unit/bus, for buses that need a server or have consumers in other processes."""

from contextlib import ExitStack, closing

import pytest

from tests.integration.bus.remote import Remote
from tests.unit.bus.conftest import *  # noqa: F403


@pytest.fixture
def remote(where):
    """Give a function that starts a consumer in a process of its own. A test module gives `where`, for `Remote`."""
    with ExitStack() as started:
        yield lambda *queues: started.enter_context(closing(Remote(where, *queues)))
