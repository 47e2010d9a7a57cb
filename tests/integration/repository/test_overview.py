"""The tests of tests/unit/repository/test_overview.py, on servers."""

import pytest

from tests.unit.repository.test_overview import *  # noqa: F403

pytestmark = pytest.mark.slow
