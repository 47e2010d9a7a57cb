"""The tests of tests/unit/repository/test_retention.py, on servers."""

import pytest

from tests.unit.repository.test_retention import *  # noqa: F403

pytestmark = pytest.mark.slow
