"""The tests of tests/unit/repository/test_queries_metrics.py, on servers."""

from tests.unit.repository.test_queries_metrics import *  # noqa: F403
