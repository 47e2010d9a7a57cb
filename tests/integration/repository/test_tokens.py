"""The tests of tests/unit/repository/test_tokens.py, on servers."""

from tests.unit.repository.test_tokens import *  # noqa: F403
