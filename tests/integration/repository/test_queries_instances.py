"""The tests of tests/unit/repository/test_queries_instances.py, on servers."""

from tests.unit.repository.test_queries_instances import *  # noqa: F403
