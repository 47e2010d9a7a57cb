"""The tests of tests/unit/alerts/test_writer.py, on servers."""

import pytest

from tests.unit.alerts.test_writer import *  # noqa: F403

pytestmark = pytest.mark.slow
