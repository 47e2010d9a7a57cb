import sqlite3
import threading
import time

import pytest

from htmengine.sqlite.checkpointer import Checkpointer
from htmengine.sqlite.write_lock import FairLock


def test_the_lock_goes_to_whoever_has_waited_longest():
    lock = FairLock()
    order = []
    threads = []

    def work(name):
        with lock:
            order.append(name)

    with lock:
        for name in range(8):
            threads.append(threading.Thread(target=work, args=(name,)))
            threads[-1].start()
            while len(lock._turns) <= name:  # until it stands in the line
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == list(range(8))


def test_the_lock_keeps_threads_apart():
    lock = FairLock()
    total = 0

    def work():
        nonlocal total
        for _ in range(500):
            with lock:
                seen = total
                for _ in range(10):
                    pass
                total = seen + 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total == 3000


PAGES = 3


@pytest.fixture
def log_file(tmp_path, monkeypatch):
    """A database whose writers never write their log back, and which has a short one."""
    monkeypatch.setattr("htmengine.sqlite.checkpointer.LONG_LOG_BYTES", PAGES * 4096)
    for interval in ("CHECKPOINT_INTERVAL_S", "MAX_CHECKPOINT_INTERVAL_S"):
        monkeypatch.setattr(f"htmengine.sqlite.checkpointer.{interval}", 0.001)
    path = tmp_path / "file.sqlite"
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("CREATE TABLE t (x)")
    yield path, connection
    connection.close()


def wait_until(true):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_log_is_written_back_and_begins_anew_while_a_writer_is_at_work(log_file):
    path, connection = log_file
    turn = FairLock()
    checkpointer = Checkpointer(path, turn)
    log = path.with_name("file.sqlite-wal")
    written, longest = 0, 0

    def write():
        nonlocal written, longest
        with turn:
            connection.execute("INSERT INTO t VALUES (?)", (written,))
        checkpointer.wrote()
        written += 1
        longest = max(longest, log.stat().st_size)
        return longest < written * 4096

    for _ in range(300):
        write()
        time.sleep(0.001)
    wait_until(write)
    checkpointer.close()
    assert [x for (x,) in connection.execute("SELECT x FROM t")] == list(range(written))


def test_what_is_written_last_is_written_back_too(log_file):
    path, connection = log_file
    checkpointer = Checkpointer(path, FairLock())
    connection.execute("INSERT INTO t VALUES (1)")
    checkpointer.wrote()
    wait_until(lambda: path.stat().st_size >= 2 * 4096)
    checkpointer.close()


def test_a_checkpointer_that_is_closed_starts_no_thread(log_file):
    path, _ = log_file
    checkpointer = Checkpointer(path, FairLock())
    checkpointer.close()
    before = set(threading.enumerate())
    checkpointer.wrote()
    assert set(threading.enumerate()) <= before


def test_a_file_that_was_deleted_is_not_made_again(tmp_path):
    checkpointer = Checkpointer(tmp_path / "gone.sqlite", FairLock())
    checkpointer.wrote()
    time.sleep(0.05)
    checkpointer.close()
    assert not (tmp_path / "gone.sqlite").exists()
