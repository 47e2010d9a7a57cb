"""The tests of tests/unit/incidents/test_silences.py, on servers."""

import pytest

from tests.unit.incidents.test_silences import *  # noqa: F403

pytestmark = pytest.mark.slow
