"""The tests of tests/unit/repository/test_series.py, on servers."""

from tests.unit.repository.test_series import *  # noqa: F403
