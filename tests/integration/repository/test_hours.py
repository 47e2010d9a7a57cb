"""The tests of tests/unit/repository/test_hours.py, on servers."""

from tests.unit.repository.test_hours import *  # noqa: F403
