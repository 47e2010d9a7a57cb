"""The tests of tests/unit/alerts/test_writer.py, on servers."""

from tests.unit.alerts.test_writer import *  # noqa: F403
