"""The tests of tests/unit/repository/test_listing.py, on servers."""

from tests.unit.repository.test_listing import *  # noqa: F403
