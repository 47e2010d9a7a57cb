"""Directories, locks, times and counters of the compatibility package."""

import os
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from xmlrpc.server import SimpleXMLRPCServer

import pytest
from sqlalchemy import select

from htmengine.repository import schema
from nta.utils import makeDirectoryFromAbsolutePath
from nta.utils.date_time_utils import epochFromLocalizedDatetime, epochFromNaiveUTCDatetime
from nta.utils.file_lock import ExclusiveFileLock, FileLockAcquireException, SharedFileLock
from nta.utils.prompt_utils import PromptTimeout, promptWithTimeout
from nta.utils.sqlalchemy_utils import compileMysqlQuery
from nta.utils.supervisor_utils import SupervisorClient
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


@pytest.fixture
def standard_input(monkeypatch):
    """Give the end of a pipe at whose other end the program listens."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as listening, os.fdopen(writing, "w") as typing:
        monkeypatch.setattr(sys, "stdin", listening)
        yield typing


def test_a_prompt_returns_the_line_that_was_typed(standard_input, capsys):
    standard_input.write("yes\n")
    standard_input.flush()
    assert promptWithTimeout("Sure? ", 5) == "yes"
    assert capsys.readouterr().out == "Sure? "


def test_a_prompt_that_nobody_answers_ends(standard_input):
    with pytest.raises(PromptTimeout):
        promptWithTimeout("Sure? ", 0.01)


def test_supervisord_is_asked_by_its_own_names():
    with SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False) as server:
        server.register_function(lambda: {"statename": "RUNNING"}, "supervisor.getState")
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        client = SupervisorClient(f"http://127.0.0.1:{server.server_address[1]}")
        assert client.getState() == {"statename": "RUNNING"}
        thread.join()


def test_a_query_is_shown_as_mysql_would_get_it():
    query = select(schema.metric.c.uid).where(schema.metric.c.name == "m")
    assert "metric.name = 'm'" in compileMysqlQuery(query)
