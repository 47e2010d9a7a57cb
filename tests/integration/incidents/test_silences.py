"""The tests of tests/unit/incidents/test_silences.py, on servers."""

from tests.unit.incidents.test_silences import *  # noqa: F403
