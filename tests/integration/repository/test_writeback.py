"""The tests of tests/unit/repository/test_writeback.py, on servers."""

from tests.unit.repository.test_writeback import *  # noqa: F403
