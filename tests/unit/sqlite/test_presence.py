"""Files of open databases that are deleted, replaced or damaged."""

import os
import sqlite3
from contextlib import closing

import pytest

from htmengine import config
from htmengine.bus import BusLost, Outgoing
from htmengine.bus.embedded.bus import EmbeddedBus
from htmengine.model_swapper.checkpoint_store import CheckpointStore
from htmengine.repository import metrics, migrations
from htmengine.repository.errors import RepositoryError
from htmengine.repository.opening import open_database
from htmengine.sqlite import presence
from htmengine.sqlite.presence import damage
from tests.support.repository import new_repository


def delete(path):
    path.unlink()


def move(path):
    path.rename(path.with_suffix(".moved"))


def replace(path):
    copy = path.with_suffix(".copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)


def delete_everything(path):
    for one in path.parent.iterdir():
        one.unlink()


def delete_log(path):
    path.with_name(path.name + "-wal").unlink()


def overwrite(path):
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))


def truncate(path):
    os.truncate(path, path.stat().st_size // 8192 * 4096)


GONE = [delete, move, replace, delete_everything, delete_log]
DAMAGED = [overwrite, truncate]


@pytest.fixture
def database(tmp_path):
    database = new_repository(tmp_path / "repository.sqlite")
    with database.write() as conn:
        metrics.create_custom(conn, [f"m{number}" for number in range(2000)])
    with closing(sqlite3.connect(tmp_path / "repository.sqlite")) as other:
        other.execute("PRAGMA wal_checkpoint(PASSIVE)")
    yield database
    database.close()


@pytest.mark.parametrize("lose", GONE)
def test_a_repository_that_is_gone_is_said_at_the_next_transaction(database, tmp_path, lose):
    lose(tmp_path / "repository.sqlite")
    for open_transaction in (database.read, database.write):
        with (
            pytest.raises(RepositoryError, match="was deleted, moved or replaced") as caught,
            open_transaction(),
        ):
            pass
        assert "backup" in caught.value.hint


def test_no_file_is_made_in_the_place_of_one_that_is_gone(database, tmp_path):
    path = tmp_path / "repository.sqlite"
    with database.read():  # it has the one connection that is open
        delete_everything(path)
        with pytest.raises(RepositoryError, match="was deleted"), database.read():
            pass
    assert not path.exists()


@pytest.mark.parametrize("spoil", DAMAGED)
def test_a_repository_that_is_damaged_is_said_at_the_latest_when_it_is_asked_for(database, tmp_path, spoil):
    database.require_whole()
    spoil(tmp_path / "repository.sqlite")
    with pytest.raises(RepositoryError, match=r"repository\.sqlite: ") as caught:
        database.require_whole()
    assert "backup" in caught.value.hint


def test_a_repository_that_others_open_and_close_is_not_taken_for_another(database, tmp_path):
    for _ in range(3):
        with closing(sqlite3.connect(tmp_path / "repository.sqlite")) as other:
            other.execute("SELECT count(*) FROM metric").fetchone()
        with database.write() as conn:
            metrics.create_custom(conn, [os.urandom(4).hex()])
    database.require_whole()


def test_a_file_may_be_made_anew_once_it_was_closed(database, tmp_path):
    database.close()
    delete_everything(tmp_path / "repository.sqlite")
    migrations.upgrade(database, 4)
    database.require_whole()


@pytest.mark.parametrize("lose", [*GONE, *DAMAGED])
def test_checkpoints_that_are_gone_or_damaged_are_said(tmp_path, lose):
    path = tmp_path / "checkpoints.sqlite"
    database = open_database(config.Repository(path=path))
    store = CheckpointStore(database)
    store.create()
    store.claim(0)
    store.require_whole()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(PASSIVE)")
    lose(path)
    with pytest.raises(RepositoryError, match=r"checkpoints\.sqlite: "):
        store.require_whole()
    database.close()


@pytest.mark.parametrize("lose", [*GONE, *DAMAGED])
def test_a_bus_that_is_gone_or_damaged_is_said(tmp_path, lose):
    path = tmp_path / "bus.sqlite"
    bus = EmbeddedBus(path)
    bus.declare_queue("q")
    bus.publish([Outgoing("q", b"x" * 10_000)])
    consumer = bus.consume(["q"])
    bus.require_whole()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(PASSIVE)")
    lose(path)
    with pytest.raises(BusLost, match=r"bus\.sqlite: ") as caught:
        bus.require_whole()
    assert "start again" in caught.value.hint
    if lose in GONE:
        with pytest.raises(BusLost):
            bus.publish([Outgoing("q", b"x")])
        with pytest.raises(BusLost):
            consumer.receive(max_messages=1, timeout_s=0)
    bus.close()


@pytest.fixture
def large(tmp_path, monkeypatch):
    """Give a file whose size makes it a large one, and a page far behind its first."""
    monkeypatch.setattr(presence, "CHECKED_WHOLE_BYTES", 100_000)
    path = tmp_path / "large.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE first (a)")
        connection.execute("CREATE TABLE second (a PRIMARY KEY, b) WITHOUT ROWID")
        connection.executemany("INSERT INTO second VALUES (?, ?)", [(n, "x" * 400) for n in range(1000)])
        connection.commit()
    return path


def test_a_large_file_is_read_through(large):
    assert damage(large) is None
    with large.open("r+b") as file:
        file.seek(300_000)
        file.write(os.urandom(20_000))
    assert damage(large) == "database disk image is malformed"


def test_a_large_file_is_read_for_no_longer_than_it_may(large, monkeypatch):
    monkeypatch.setattr(presence, "READS_WITHIN_S", 0.0)
    monkeypatch.setattr(presence, "_INTERRUPTED_EVERY_S", 0.0)
    endless = "WITH RECURSIVE n (a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n) SELECT count(*) FROM n -- {}"
    monkeypatch.setattr(presence, "_COUNT", endless)
    assert damage(large) is None
