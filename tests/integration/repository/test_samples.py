"""The tests of tests/unit/repository/test_samples.py, on servers."""

from tests.unit.repository.test_samples import *  # noqa: F403
