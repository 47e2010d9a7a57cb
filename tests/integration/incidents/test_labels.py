"""The tests of tests/unit/incidents/test_labels.py, on servers."""

from tests.unit.incidents.test_labels import *  # noqa: F403
