"""The tests of tests/unit/alerts/test_sender.py, on servers."""

import pytest

from tests.unit.alerts.test_sender import *  # noqa: F403

pytestmark = pytest.mark.slow
