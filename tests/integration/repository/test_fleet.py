"""The tests of tests/unit/repository/test_fleet.py, on servers."""

from tests.unit.repository.test_fleet import *  # noqa: F403
