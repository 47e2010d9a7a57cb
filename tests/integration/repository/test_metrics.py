"""The tests of tests/unit/repository/test_metrics.py, on servers."""

from tests.unit.repository.test_metrics import *  # noqa: F403
