"""Silences on servers: the fixtures of the unit tests, with a database of each server."""

from tests.integration.incidents.conftest import fresh
from tests.integration.repository.conftest import database, lasting_database

__all__ = ["database", "fresh", "lasting_database"]
