"""Alerts on servers: the fixtures of the unit tests, with a database of each server."""

from tests.integration.repository.conftest import database, lasting_database  # noqa: F401  # fixtures
from tests.unit.alerts.conftest import world  # noqa: F401  # a fixture
