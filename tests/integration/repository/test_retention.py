"""The tests of tests/unit/repository/test_retention.py, on servers."""

from tests.unit.repository.test_retention import *  # noqa: F403
