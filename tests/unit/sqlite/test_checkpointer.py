"""The write-ahead log is written back in the background, and into its own file alone."""

import sqlite3
import threading
import time
from contextlib import closing

from htmengine.sqlite import checkpointer
from htmengine.sqlite.checkpointer import Checkpointer


def opened(path):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("CREATE TABLE IF NOT EXISTS numbers (number INTEGER)")
    return connection


def test_the_log_of_a_file_that_took_the_place_of_a_deleted_one_is_its_own(tmp_path, monkeypatch):
    looked = threading.Event()
    connect = sqlite3.connect

    def connected(*arguments, **options):
        connection = connect(*arguments, **options)
        looked.set()
        return connection

    path = tmp_path / "data.sqlite"
    old = opened(path)
    found = Checkpointer(path, threading.Lock())
    monkeypatch.setattr(checkpointer.sqlite3, "connect", connected)
    found.wrote()
    assert looked.wait(10)
    time.sleep(
        checkpointer.CHECKPOINT_INTERVAL_S / 5
    )  # it has what it needs of the file, and did nothing yet
    monkeypatch.undo()
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink()
    old.close()
    with closing(opened(path)) as new:
        new.executemany("INSERT INTO numbers VALUES (?)", [(number,) for number in range(5000)])
        found.wrote()
        time.sleep(2 * checkpointer.CHECKPOINT_INTERVAL_S)
        found.close()
    with closing(sqlite3.connect(path)) as read:
        assert read.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert read.execute("SELECT count(*) FROM numbers").fetchone() == (5000,)


def test_a_log_is_written_back_when_it_has_its_size_but_not_too_often_nor_too_rarely():
    of_its_size = checkpointer.LOG_BYTES
    assert checkpointer.interval_s(of_its_size, in_s=1.0) == 1.0
    assert checkpointer.interval_s(of_its_size // 2, in_s=1.0) == 2.0
    assert checkpointer.interval_s(8 * of_its_size, in_s=1.0) == checkpointer.CHECKPOINT_INTERVAL_S
    assert checkpointer.interval_s(1, in_s=1.0) == checkpointer.MAX_CHECKPOINT_INTERVAL_S
    assert checkpointer.interval_s(0, in_s=1.0) == checkpointer.MAX_CHECKPOINT_INTERVAL_S


def test_a_log_that_suddenly_grows_is_written_back_before_its_time(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpointer, "CHECKPOINT_INTERVAL_S", 0.001)
    monkeypatch.setattr(checkpointer, "MAX_CHECKPOINT_INTERVAL_S", 600.0)
    monkeypatch.setattr(checkpointer, "LOG_BYTES", 20 * 4096)
    path = tmp_path / "data.sqlite"
    with closing(opened(path)) as writer:
        found = Checkpointer(path, threading.Lock())
        deadline = time.monotonic() + 30
        while path.stat().st_size < 200 * 4096 and time.monotonic() < deadline:
            writer.execute("INSERT INTO numbers SELECT zeroblob(4000) FROM (VALUES (1), (2), (3), (4))")
            found.wrote()
        found.close()
    assert time.monotonic() < deadline
