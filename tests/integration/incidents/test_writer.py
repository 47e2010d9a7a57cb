"""The tests of tests/unit/incidents/test_writer.py, on servers."""

from tests.unit.incidents.test_writer import *  # noqa: F403
