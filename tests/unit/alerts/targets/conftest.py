"""Receivers of notices."""

import pytest

from tests.unit.alerts.targets.receiving import HttpReceiver


@pytest.fixture
def receiver():
    """Give a receiver over HTTP."""
    found = HttpReceiver()
    yield found
    found.close()
