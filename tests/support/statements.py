"""Statements are compiled once for all SQLite files of a run: each test has its own, and to compile takes longer than to run."""

from sqlalchemy import Engine
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

COMPILED = LRUCache(5000)


def compile_once() -> None:
    """Let all engines share what was compiled; those of SQLite are alike, and others are told apart by their dialects."""
    SQLiteDialect_pysqlite.__eq__ = lambda one, other: type(one) is type(other)
    SQLiteDialect_pysqlite.__hash__ = lambda one: hash(type(one))
    Engine._compiled_cache = property(lambda engine: COMPILED, lambda engine, own: None)
