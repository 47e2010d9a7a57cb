"""The tests of tests/unit/repository/test_overview.py, on servers."""

from tests.unit.repository.test_overview import *  # noqa: F403
