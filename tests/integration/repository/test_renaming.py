"""The tests of tests/unit/repository/test_renaming.py, on servers."""

from tests.unit.repository.test_renaming import *  # noqa: F403
