"""The tests of tests/unit/repository/test_scores.py, on servers."""

from tests.unit.repository.test_scores import *  # noqa: F403
