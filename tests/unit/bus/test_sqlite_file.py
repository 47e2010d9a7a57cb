import contextlib
import threading
import time

import pytest

from htmengine.bus.sqlite_file import FairLock, SqliteFile


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
