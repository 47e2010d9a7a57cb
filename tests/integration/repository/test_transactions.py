"""The tests of tests/unit/repository/test_transactions.py, on servers."""

from tests.unit.repository.test_transactions import *  # noqa: F403
