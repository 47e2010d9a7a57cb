"""The tests of tests/unit/repository/test_gathered_samples.py, on servers."""

from tests.unit.repository.test_gathered_samples import *  # noqa: F403
