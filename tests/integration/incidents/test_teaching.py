"""The tests of tests/unit/incidents/test_teaching.py, on servers."""

import pytest

from tests.unit.incidents.test_teaching import *  # noqa: F403
from tests.unit.incidents.test_teaching import UNTIL, VALUES

pytestmark = pytest.mark.slow


@pytest.fixture
def later(season):
    """Give an installation whose one metric is never taught and has all values; another has those until `UNTIL`."""
    never, taught = season.metric("never"), season.metric("taught")
    season.feed(never, VALUES)
    season.feed(taught, VALUES[:UNTIL])
    return season, never, taught
