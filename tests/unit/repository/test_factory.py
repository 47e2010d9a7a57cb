import configparser
import os
import pickle
import sqlite3

import pytest
from sqlalchemy.exc import OperationalError

from htmengine import config, repository
from htmengine.repository import factory
from htmengine.repository.errors import RepositoryUnavailable


@pytest.fixture(autouse=True)
def no_engines(monkeypatch):
    monkeypatch.setattr(factory, "_engines", {})


def application(**engine):
    parser = configparser.ConfigParser()
    parser.read_dict(
        {
            "repository": {"db": "d", "host": "h", "user": "u", "passwd": "p@ss", "port": "3307"},
            "engine": engine,
        }
    )
    return parser


@pytest.fixture
def settings(tmp_path):
    return config.embedded(tmp_path)


def test_a_process_has_one_engine_until_the_database_is_another_or_it_is_reset(settings, tmp_path):
    first = repository.engineFactory(settings)
    assert repository.engineFactory(settings) is first
    assert repository.engineFactory(settings.repository) is first
    second = repository.engineFactory(config.embedded(tmp_path / "other"))
    assert second is not first
    assert repository.engineFactory(config.embedded(tmp_path / "other"), reset=True) is not second


def test_a_forked_process_does_not_use_the_connections_of_its_parent(settings, monkeypatch):
    parents = repository.engineFactory(settings)
    with parents.connect() as conn:
        monkeypatch.setattr(os, "getpid", lambda: 0)
        assert repository.engineFactory(settings) is not parents
        assert conn.exec_driver_sql("SELECT 1").scalar() == 1


def test_an_application_names_a_mysql_server(tmp_path):
    where = repository.getDbDSN(application())
    assert (where.username, where.password, where.host, where.port, where.database) == (
        "u",
        "p@ss",
        "h",
        3307,
        "d",
    )
    assert where.drivername == "mysql+pymysql"
    assert "p@ss" not in f"{where} {where!r}"
    assert repository.getDSN(application()).database is None
    assert repository.getBaseConnectionArgsDict(application()) == {
        "host": "h",
        "port": 3307,
        "user": "u",
        "passwd": "p@ss",
        "charset": "utf8",
        "use_unicode": True,
    }


def test_an_application_may_name_a_file(tmp_path):
    named = application(repository="sqlite", data_dir=str(tmp_path))
    assert repository.getDbDSN(named).database == str(tmp_path / "repository.sqlite")
    assert repository.engineFactory(named).dialect.name == "sqlite"


def locked():
    cause = sqlite3.OperationalError("database is locked")
    cause.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return OperationalError("", {}, cause)


@pytest.fixture
def sleeps(monkeypatch):
    """Give the pauses that were made; the clock goes by them."""
    made = []
    monkeypatch.setattr(factory.time, "sleep", made.append)
    monkeypatch.setattr(factory.time, "monotonic", lambda: sum(made))
    return made


@pytest.mark.parametrize("error", [locked(), RepositoryUnavailable("away", hint="wait")])
def test_what_passes_is_tried_again_with_growing_pauses(sleeps, error):
    left = [error, error, error]

    @repository.retryOnTransientErrors
    def ask(question, *, politely):
        if left:
            raise left.pop()
        return question, politely

    assert ask("a", politely=True) == ("a", True)
    assert sleeps == [0.1, 0.2, 0.4]


def test_what_does_not_pass_within_ten_seconds_is_raised(sleeps):
    @repository.retryOnTransientErrors
    def ask():
        raise locked()

    with pytest.raises(OperationalError):
        ask()
    assert 6 < sum(sleeps) <= 10


@pytest.mark.parametrize(
    "error", [OperationalError("", {}, sqlite3.OperationalError("no such table")), KeyError()]
)
def test_an_error_that_stays_is_raised_at_once(sleeps, error):
    @repository.retryOnTransientErrors
    def ask():
        raise error

    with pytest.raises(type(error)):
        ask()
    assert sleeps == []


def test_settings_travel_between_processes_with_their_password():
    settings = config.Repository(dialect="mysql", passwd="p")
    assert pickle.loads(pickle.dumps(settings)).passwd == "p"
