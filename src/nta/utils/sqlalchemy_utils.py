"""Helpers around SQLAlchemy, under their documented names."""

from typing import Any

from sqlalchemy.dialects import mysql

from htmengine.repository.factory import retryOnTransientErrors as retryOnTransientErrors


def compileMysqlQuery(query: Any) -> str:
    """Return a query as MySQL would get it, with its parameters filled in. To look at, not to execute."""
    return str(query.compile(dialect=mysql.dialect(), compile_kwargs={"literal_binds": True}))
