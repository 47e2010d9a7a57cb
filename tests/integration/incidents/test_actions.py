"""The tests of tests/unit/incidents/test_actions.py, on servers."""

from tests.unit.incidents.test_actions import *  # noqa: F403
