"""Directories, locks, times and counters of the compatibility package."""

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest

from nta.utils import makeDirectoryFromAbsolutePath
from nta.utils.date_time_utils import epochFromLocalizedDatetime, epochFromNaiveUTCDatetime
from nta.utils.file_lock import ExclusiveFileLock, FileLockAcquireException, SharedFileLock
from nta.utils.threading_utils import ThreadsafeCounter


def test_a_directory_and_those_above_it_are_made_once(tmp_path):
    path = str(tmp_path / "a" / "b")
    assert makeDirectoryFromAbsolutePath(path) == path
    assert makeDirectoryFromAbsolutePath(path) == path
    with pytest.raises(AssertionError):
        makeDirectoryFromAbsolutePath("a/b")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        makeDirectoryFromAbsolutePath(str(tmp_path / "file" / "below"))


def test_an_exclusive_lock_waits_for_shared_ones(tmp_path):
    path = tmp_path / "locked"
    path.touch()
    order = []
    with path.open() as first, path.open() as second, SharedFileLock(first):
        with SharedFileLock(second):
            order.append("both shared")

        def write():
            with path.open("a") as third, ExclusiveFileLock(third):
                order.append("exclusive")

        writer = threading.Thread(target=write)
        writer.start()
        writer.join(0.05)
        order.append("shared ends")
    writer.join()
    assert order == ["both shared", "shared ends", "exclusive"]


def test_a_closed_file_cannot_be_locked(tmp_path):
    file = (tmp_path / "closed").open("w")
    file.close()
    with pytest.raises((FileLockAcquireException, ValueError)), ExclusiveFileLock(file):
        pass


def test_epochs_are_seconds_in_utc():
    assert epochFromNaiveUTCDatetime(datetime(2013, 12, 11, 20, 2, 55)) == 1386792175.0
    east = timezone(timedelta(hours=5))
    assert epochFromLocalizedDatetime(datetime(1970, 1, 1, 5, 0, 1, 500_000, tzinfo=east)) == 1.5
    assert epochFromLocalizedDatetime(datetime(1970, 1, 1, tzinfo=UTC)) == 0.0
    with pytest.raises(ValueError, match="no time zone"):
        epochFromLocalizedDatetime(datetime(1970, 1, 1))


def test_a_counter_loses_no_adjustment_of_many_threads():
    counter = ThreadsafeCounter(5)

    def work():
        for _ in range(500):
            counter.adjust(2)
            with counter:
                assert counter.value > 5

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.value == 5 + 8 * 500 * 2
