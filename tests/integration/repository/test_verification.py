"""The tests of tests/unit/repository/test_verification.py, on servers."""

from tests.unit.repository.test_verification import *  # noqa: F403
