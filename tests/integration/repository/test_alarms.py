"""The tests of tests/unit/repository/test_alarms.py, on servers."""

from tests.unit.repository.test_alarms import *  # noqa: F403
