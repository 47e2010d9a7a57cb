"""A repository with metrics, incidents and targets that do as they are told."""

import pytest

from tests.unit.alerts.world import World
from tests.unit.incidents.conftest import database, fresh, template  # noqa: F401  # fixtures


@pytest.fixture
def world(database):  # noqa: F811  # a fixture
    """Give a fleet of some metrics, and nobody who is told."""
    found = World(database)
    yield found
    found.close()
