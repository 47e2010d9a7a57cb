"""The tests of tests/unit/repository/test_renaming.py, on servers."""

import pytest

from tests.unit.repository.test_renaming import *  # noqa: F403

pytestmark = pytest.mark.slow
