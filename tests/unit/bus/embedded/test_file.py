import contextlib

import pytest

from htmengine.bus.embedded.file import SqliteFile


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
