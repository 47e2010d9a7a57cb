"""The tests of tests/unit/repository/test_verification.py, on servers."""

import pytest

from tests.unit.repository.test_verification import *  # noqa: F403

pytestmark = pytest.mark.slow
