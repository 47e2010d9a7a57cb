"""A repository in which metrics come and stop."""

from tests.unit.incidents.conftest import database, fresh, template

__all__ = ["database", "fresh", "template"]
