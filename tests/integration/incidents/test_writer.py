"""The tests of tests/unit/incidents/test_writer.py, on servers."""

import pytest

from tests.unit.incidents.test_writer import *  # noqa: F403

pytestmark = pytest.mark.slow
