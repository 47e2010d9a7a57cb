import contextlib
import sqlite3

import pytest

from htmengine.bus.embedded.file import PAGE_BYTES, SqliteFile


@pytest.fixture
def file(tmp_path):
    file = SqliteFile(tmp_path / "deep" / "down" / "file.sqlite", 7, 1, "CREATE TABLE t (x)")
    yield file
    file.close()


def rows(file):
    with file.reading() as connection:
        return [x for (x,) in connection.execute("SELECT x FROM t ORDER BY x")]


def test_a_transaction_that_fails_leaves_nothing(file):
    with file.writing() as connection:
        connection.execute("INSERT INTO t VALUES (1)")
    with contextlib.suppress(ZeroDivisionError), file.writing() as connection:
        connection.execute("INSERT INTO t VALUES (2)")
        _ = 1 / 0
    with file.writing() as connection:
        connection.execute("INSERT INTO t VALUES (3)")
    assert rows(file) == [1, 3]


def test_the_schema_is_made_once(file):
    with file.writing() as connection:
        connection.execute("INSERT INTO t VALUES (1)")
    second = SqliteFile(file.path, 7, 1, "CREATE TABLE t (x)")
    assert rows(second) == [1]
    second.close()


def larger_pages(path):
    """Make the file that an earlier version would have made."""
    path.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in (
            "PRAGMA page_size = 4096",
            "PRAGMA journal_mode = WAL",
            "CREATE TABLE t (x)",
            "INSERT INTO t VALUES (1)",
            "PRAGMA application_id = 7",
            "PRAGMA user_version = 1",
        ):
            connection.execute(statement)


def page_bytes(file):
    with file.reading() as connection:
        return connection.execute("PRAGMA page_size").fetchone()[0]


def test_pages_are_small(file):
    assert page_bytes(file) == PAGE_BYTES


def test_a_file_with_larger_pages_gets_small_ones(tmp_path):
    path = tmp_path / "old" / "file.sqlite"
    larger_pages(path)
    with contextlib.closing(SqliteFile(path, 7, 1, "CREATE TABLE t (x)")) as file:
        assert (rows(file), page_bytes(file)) == ([1], PAGE_BYTES)
        with file.reading() as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_with_larger_pages_that_is_in_use_keeps_them(tmp_path):
    path = tmp_path / "old" / "file.sqlite"
    larger_pages(path)
    with contextlib.closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT x FROM t").fetchone() == (1,)
        with contextlib.closing(SqliteFile(path, 7, 1, "CREATE TABLE t (x)")) as file:
            assert (rows(file), page_bytes(file)) == ([1], 4096)
            with file.writing() as connection:
                connection.execute("INSERT INTO t VALUES (2)")
            assert rows(file) == [1, 2]
