"""The tests of tests/unit/alerts/test_preview.py, on servers."""

from tests.unit.alerts.test_preview import *  # noqa: F403
