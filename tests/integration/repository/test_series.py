"""The tests of tests/unit/repository/test_series.py, on servers."""

import pytest

from tests.unit.repository.test_series import *  # noqa: F403

pytestmark = pytest.mark.slow
