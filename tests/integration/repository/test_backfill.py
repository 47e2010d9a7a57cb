"""The tests of tests/unit/repository/test_backfill.py, on servers."""

from tests.unit.repository.test_backfill import *  # noqa: F403
