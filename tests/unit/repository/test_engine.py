import sqlite3
import threading

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from htmengine import config
from htmengine.config import ConfigError
from htmengine.errors import DependencyAway
from htmengine.repository import engine as engines
from htmengine.repository import metrics
from htmengine.repository.engine import open_engine, reading, server_url, writing
from htmengine.repository.errors import RepositoryError, RepositoryUnavailable


def pragma(engine, name):
    with reading(engine) as conn:
        return conn.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_a_file_is_opened_as_writers_and_readers_need_it(engine):
    assert pragma(engine, "journal_mode") == "wal"
    assert pragma(engine, "synchronous") == 1
    assert pragma(engine, "foreign_keys") == 1
    assert pragma(engine, "busy_timeout") == 30_000


def test_opening_creates_the_folder_and_no_file(tmp_path):
    path = tmp_path / "some" / "folder" / "repository.sqlite"
    open_engine(config.Repository(path=path))
    assert path.parent.is_dir()
    assert not path.exists()


def test_what_is_written_is_there_and_after_an_error_it_is_not(engine):
    with writing(engine) as conn:
        metrics.create_custom(conn, ["kept"])
    with pytest.raises(ZeroDivisionError), writing(engine) as conn:
        _ = metrics.create_custom(conn, ["lost"]), 1 / 0
    with reading(engine) as conn:
        assert list(metrics.states_by_name(conn, ["kept", "lost"])) == ["kept"]


def test_one_writes_at_a_time_while_others_read(engine):
    order = []
    second = threading.Event()

    def write():
        second.set()
        with writing(engine) as conn:
            metrics.create_custom(conn, ["second"])
            order.append("second")

    thread = threading.Thread(target=write)
    with writing(engine) as conn:
        metrics.create_custom(conn, ["first"])
        thread.start()
        second.wait()
        with reading(engine) as reader:
            assert metrics.states_by_name(reader, ["first", "second"]) == {}
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_reader_sees_one_state_of_the_database(engine):
    with reading(engine) as reader:
        assert metrics.states_by_name(reader, ["new"]) == {}
        with writing(engine) as conn:
            metrics.create_custom(conn, ["new"])
        assert metrics.states_by_name(reader, ["new"]) == {}


def test_two_engines_of_one_file_share_its_lock(engine, tmp_path):
    other = open_engine(config.Repository(path=tmp_path / "x" / ".." / "repository.sqlite"))
    locks = [e.get_execution_options()[engines._LOCK] for e in (engine, other)]
    assert locks[0] is locks[1]
    other.dispose()


def test_a_file_that_another_process_holds_for_long_is_away(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "BUSY_TIMEOUT_S", 0.01)
    engine.dispose()  # connections opened from now on wait shortly
    other = sqlite3.connect(tmp_path / "repository.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with (
        pytest.raises(RepositoryUnavailable, match=r"repository\.sqlite: database is locked"),
        writing(engine),
    ):
        pass
    other.execute("ROLLBACK")
    other.close()
    with writing(engine):
        pass
    assert issubclass(RepositoryUnavailable, DependencyAway)


def test_a_full_disk_is_away_and_changes_nothing(engine):
    def fill():
        with writing(engine) as conn:
            pages = conn.exec_driver_sql("PRAGMA page_count").scalar()
            conn.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            metrics.create_custom(conn, [f"metric.{number}" for number in range(1000)])

    with pytest.raises(RepositoryUnavailable, match="disk is full"):
        fill()
    with reading(engine) as conn:
        assert metrics.states_by_name(conn, ["metric.0"]) == {}


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "other.sqlite"
    path.write_text("this is no database" * 100)
    engine = open_engine(config.Repository(path=path))
    with pytest.raises(RepositoryError, match=r"other\.sqlite: file is not a database"), reading(engine):
        pass


def test_tables_that_are_missing_are_an_error_that_says_what_to_do(empty_engine):
    with (
        pytest.raises(RepositoryError, match=r"empty\.sqlite: no such table: metric") as caught,
        reading(empty_engine) as conn,
    ):
        metrics.states(conn, ["a"])
    assert "htmengine db upgrade" in caught.value.hint


def test_a_broken_rule_of_the_tables_stays_an_error_of_sqlalchemy(engine):
    with pytest.raises(IntegrityError), writing(engine) as conn:
        conn.execute(text("INSERT INTO metric (uid) VALUES ('a'), ('a')"))


def test_a_folder_that_cannot_be_created_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RepositoryError, match="file.*cannot be created"):
        open_engine(config.Repository(path=tmp_path / "file" / "repository.sqlite"))


def test_sqlite_without_a_file_is_a_fault_of_the_configuration():
    with pytest.raises(ConfigError, match="no file"):
        open_engine(config.Repository())


@pytest.mark.parametrize(("dialect", "driver"), [("mysql", "pymysql"), ("postgresql", "psycopg")])
def test_a_driver_that_is_missing_is_named(monkeypatch, dialect, driver):
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=driver) as caught:
        open_engine(config.Repository(dialect=dialect, passwd="secret"))
    assert driver in caught.value.hint


@pytest.mark.parametrize("dialect", ["mysql", "postgresql"])
def test_no_text_shows_a_password(dialect):
    repository = config.Repository(dialect=dialect, user="u@x", passwd="p:@/ä", host="h", port=1, db="d")
    url = server_url(repository)
    assert url.password == "p:@/ä"
    assert url.username == "u@x"
    for shown in (
        repr(url),
        str(url),
        repr(repository),
        str(repository),
        repr(config.Settings(repository=repository)),
    ):
        assert "p:@/ä" not in shown
        assert "p%3A" not in shown
