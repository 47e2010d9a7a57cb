"""The tests of tests/unit/incidents/test_teaching.py, on servers."""

from tests.unit.incidents.test_teaching import *  # noqa: F403
