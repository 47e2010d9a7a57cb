"""The tests of tests/unit/repository/test_queries_data.py, on servers."""

from tests.unit.repository.test_queries_data import *  # noqa: F403
