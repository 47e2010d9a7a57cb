"""What is made once for a run of the tests, though each test has an engine of its own: to make it takes longer than to use it."""

from functools import cache

import starlette.routing
import typer.testing
from sqlalchemy import Engine
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

STATEMENTS = LRUCache(5000)


def make_once() -> None:
    """Compile each statement once for all SQLite files, which are alike; and so commands, and addresses of the web server."""
    SQLiteDialect_pysqlite.__eq__ = lambda one, other: type(one) is type(other)
    SQLiteDialect_pysqlite.__hash__ = lambda one: hash(type(one))
    Engine._compiled_cache = property(lambda engine: STATEMENTS, lambda engine, own: None)
    typer.testing._get_command = cache(typer.testing._get_command)
    starlette.routing.compile_path = cache(starlette.routing.compile_path)
