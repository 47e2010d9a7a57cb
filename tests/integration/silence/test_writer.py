"""The tests of tests/unit/silence/test_writer.py, on servers."""

import pytest

from tests.unit.silence.test_writer import *  # noqa: F403

pytestmark = pytest.mark.slow
