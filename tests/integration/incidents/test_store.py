"""The tests of tests/unit/incidents/test_store.py, on servers."""

from tests.unit.incidents.test_store import *  # noqa: F403
