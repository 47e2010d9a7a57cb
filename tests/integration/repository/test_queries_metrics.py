"""The tests of tests/unit/repository/test_queries_metrics.py, on servers."""

import pytest

from tests.unit.repository.test_queries_metrics import *  # noqa: F403

pytestmark = pytest.mark.slow
