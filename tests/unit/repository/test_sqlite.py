import errno
import os
import sqlite3
from pathlib import Path

import pytest

from htmengine import config
from htmengine.errors import ConfigError, DependencyUnavailable
from htmengine.repository import listing, metrics, sqlite_file
from htmengine.repository.errors import RepositoryError, RepositoryUnavailable
from htmengine.repository.opening import open_database


def pragma(database, name):
    with database.read() as conn:
        return conn.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_a_file_is_opened_as_writers_and_readers_need_it(database):
    assert pragma(database, "journal_mode") == "wal"
    assert pragma(database, "synchronous") == 1
    assert pragma(database, "foreign_keys") == 1
    assert pragma(database, "busy_timeout") == 30_000


def test_who_writes_keeps_as_many_pages_as_was_said_and_who_reads_a_quarter_of_them(tmp_path):
    database = open_database(config.Repository(path=tmp_path / "repository.sqlite"), cache_bytes=8 << 20)
    with database.write() as conn:
        assert conn.exec_driver_sql("PRAGMA cache_size").scalar() == -8 << 10
    assert pragma(database, "cache_size") == -2 << 10
    database.close()


def test_opening_creates_the_folder_and_no_file(tmp_path):
    path = tmp_path / "some" / "folder" / "repository.sqlite"
    open_database(config.Repository(path=path))
    assert path.parent.is_dir()
    assert not path.exists()


def test_two_that_open_one_file_share_its_lock(database, tmp_path):
    other = open_database(config.Repository(path=tmp_path / "x" / ".." / "repository.sqlite"))
    assert database.write_lock._lock is other.write_lock._lock
    other.close()


def test_a_file_that_another_process_holds_for_long_is_away(database, tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT_S", 0.01)
    database.close()  # connections opened from now on wait shortly
    other = sqlite3.connect(tmp_path / "repository.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with (
        pytest.raises(RepositoryUnavailable, match=r"repository\.sqlite: database is locked"),
        database.write(),
    ):
        pass
    other.execute("ROLLBACK")
    other.close()
    with database.write():
        pass
    assert issubclass(RepositoryUnavailable, DependencyUnavailable)


def test_a_full_disk_is_away_and_changes_nothing(database):
    def fill():
        with database.write() as conn:
            pages = conn.exec_driver_sql("PRAGMA page_count").scalar()
            conn.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            metrics.create_custom(conn, [f"metric.{number}" for number in range(1000)])

    with pytest.raises(RepositoryUnavailable, match="disk is full"):
        fill()
    with database.read() as conn:
        assert metrics.states_by_name(conn, ["metric.0"]) == {}


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "other.sqlite"
    path.write_text("this is no database" * 100)
    database = open_database(config.Repository(path=path))
    with pytest.raises(RepositoryError, match=r"other\.sqlite: file is not a database"), database.read():
        pass


def test_a_folder_that_cannot_be_created_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RepositoryError, match=r"file.*cannot be created"):
        open_database(config.Repository(path=tmp_path / "file" / "repository.sqlite"))


def test_sqlite_without_a_file_is_a_fault_of_the_configuration():
    with pytest.raises(ConfigError, match="no file"):
        open_database(config.Repository())


def test_what_was_committed_is_brought_to_the_disk(database, monkeypatch):
    with database.write() as conn:
        metrics.create_custom(conn, ["m"])
    synced = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(Path(f"/proc/self/fd/{file}").readlink()))
    database.sync()
    assert synced == [Path(f"{database.place}-wal")]


def test_a_log_that_was_written_back_needs_no_sync(tmp_path):
    database = open_database(config.Repository(path=tmp_path / "repository.sqlite"))
    database.sync()
    database.close()


def test_a_disk_that_reports_an_error_is_waited_for(database, monkeypatch):
    with database.write() as conn:
        metrics.create_custom(conn, ["m"])

    def fail(file):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RepositoryUnavailable, match="Input/output error"):
        database.sync()


def test_pages_of_rows_are_smaller_than_those_of_checkpoints(tmp_path):
    sizes = {}
    for name, shrinks in (("rows", True), ("checkpoints", False)):
        database = open_database(config.Repository(path=tmp_path / name), shrinks=shrinks)
        with database.write() as conn:
            conn.exec_driver_sql("CREATE TABLE t (x)")
            sizes[name] = conn.exec_driver_sql("PRAGMA page_size").scalar()
        database.close()
    assert sizes == {"rows": sqlite_file.PAGE_BYTES, "checkpoints": 4096}


def test_to_list_in_many_parts_is_hardly_more_work_than_in_one(database):
    with database.write() as conn:
        metrics.create_custom(conn, [f"m.{i}" for i in range(500)])

    def work(part):
        steps = []
        with database.read() as conn:
            sqlite = conn.connection.driver_connection
            sqlite.set_progress_handler(lambda: steps.append(1), 100)  # after each 100 steps of a statement
            assert sum(map(len, listing.every_metric(conn, part=part))) == 500
            sqlite.set_progress_handler(None, 0)
        return len(steps)

    assert work(20) < 2 * work(1000)
