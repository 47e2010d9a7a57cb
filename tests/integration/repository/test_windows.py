"""The tests of tests/unit/repository/test_windows.py, on servers."""

from tests.unit.repository.test_windows import *  # noqa: F403
