"""The tests of tests/unit/repository/test_running_totals.py, on servers."""

from tests.unit.repository.test_running_totals import *  # noqa: F403
