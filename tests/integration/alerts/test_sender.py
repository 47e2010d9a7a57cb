"""The tests of tests/unit/alerts/test_sender.py, on servers."""

from tests.unit.alerts.test_sender import *  # noqa: F403
