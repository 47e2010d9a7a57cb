"""The tests of tests/unit/silence/test_writer.py, on servers."""

from tests.unit.silence.test_writer import *  # noqa: F403
