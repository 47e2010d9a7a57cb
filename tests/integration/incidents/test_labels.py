"""The tests of tests/unit/incidents/test_labels.py, on servers."""

import pytest

from tests.unit.incidents.test_labels import *  # noqa: F403

pytestmark = pytest.mark.slow
