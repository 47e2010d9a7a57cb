"""The tests of tests/unit/incidents/test_actions.py, on servers."""

import pytest

from tests.unit.incidents.test_actions import *  # noqa: F403

pytestmark = pytest.mark.slow
