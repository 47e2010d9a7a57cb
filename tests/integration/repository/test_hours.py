"""The tests of tests/unit/repository/test_hours.py, on servers."""

import pytest

from tests.unit.repository.test_hours import *  # noqa: F403

pytestmark = pytest.mark.slow
