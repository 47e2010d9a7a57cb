"""The tests of tests/unit/alerts/test_preview.py, on servers."""

import pytest

from tests.unit.alerts.test_preview import *  # noqa: F403

pytestmark = pytest.mark.slow
