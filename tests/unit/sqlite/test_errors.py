import sqlite3

import pytest
from sqlalchemy.exc import OperationalError

from htmengine.bus import BusUnavailable
from htmengine.bus.embedded.file import SqliteFile
from htmengine.repository.errors import RepositoryUnavailable, translated

PASSING = ["BUSY", "LOCKED", "FULL", "IOERR", "READONLY", "PERM", "CANTOPEN", "NOMEM"]


def sqlite_error(name):
    error = sqlite3.OperationalError(name)
    error.sqlite_errorcode = getattr(sqlite3, f"SQLITE_{name}")
    return error


@pytest.fixture
def file(tmp_path):
    file = SqliteFile(tmp_path / "file.sqlite", 7, 1, "CREATE TABLE t (x)")
    yield file
    file.close()


@pytest.mark.parametrize("name", PASSING)
def test_what_may_pass_makes_bus_and_repository_unavailable_alike(file, name):
    with pytest.raises(BusUnavailable, match=name), file.reading():
        raise sqlite_error(name)
    error = translated(OperationalError("", {}, sqlite_error(name)), "here")
    assert isinstance(error, RepositoryUnavailable)


@pytest.mark.parametrize("name", ["ERROR", "CONSTRAINT", "MISUSE"])
def test_what_is_our_mistake_stays_as_it_is(file, name):
    with pytest.raises(sqlite3.OperationalError), file.reading():
        raise sqlite_error(name)
    error = OperationalError("", {}, sqlite_error(name))
    assert translated(error, "here") is error
