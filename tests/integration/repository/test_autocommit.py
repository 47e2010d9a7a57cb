"""The tests of tests/unit/repository/test_autocommit.py, on servers."""

from tests.unit.repository.test_autocommit import *  # noqa: F403
