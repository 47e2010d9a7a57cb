"""Scores are written back in order and at least once, whatever the receiver does."""

import math
from itertools import pairwise

import pytest

from htmengine import config
from htmengine.repository import metrics, schema, windows, writeback
from htmengine.repository.status import MetricStatus
from htmengine.service.counters import Counters
from htmengine.writeback import writer as writers
from htmengine.writeback.receivers import Refused, Unavailable
from htmengine.writeback.writer import Writer
from tests.support.repository import new_repository
from tests.unit.repository.rows import FIRST_SECOND, add_scored


class Killed(BaseException):
    """The process ends here."""


class Memory:
    """A receiver that keeps what it gets; `answers` are raised one after the other, None takes the series."""

    name = "graphite"

    def __init__(self):
        self.got = []
        self.answers = []

    def send(self, batch):
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        times = batch.timestamps.tolist()
        for name, (begin, end) in zip(batch.names, pairwise(batch.ends), strict=True):
            self.got += [(name, at) for at in times[begin:end]]


@pytest.fixture
def database(tmp_path):
    database = new_repository(config.embedded(tmp_path).repository.path)
    yield database
    database.close()


@pytest.fixture
def receiver():
    return Memory()


def writer(database, receiver, *, step=lambda name: None, timer=None, counters=None, **settings):
    clock = {"now": 0.0}

    def wait(seconds):
        clock["now"] += seconds
        return False

    return Writer(
        config.Writeback(**settings),
        database,
        receiver,
        counters or Counters(),
        wait,
        timer=timer or (lambda: clock["now"]),
        step=step,
    )


def add(database, name, count, *, first=1):
    """Give a metric rows `first` … with scores, a minute apart."""
    with database.write() as conn:
        uid = next(iter(metrics.create_custom(conn, [name]).values()))
        if first == 1:
            metrics.start_model(conn, uid, parameters=None, model_params="{}", status=MetricStatus.ACTIVE)
        rowids = range(first, first + count)
        times = [FIRST_SECOND + 60 * rowid for rowid in rowids]
        add_scored(conn, uid, times, [1.0] * count, [0.1] * count, forecasts=[math.nan] * count)
    return uid


def expected(name, first, last):
    return [(name, FIRST_SECOND + 60 * rowid) for rowid in range(first, last + 1)]


def test_every_row_goes_once_and_in_order(database, receiver, monkeypatch):
    monkeypatch.setattr(writers, "ROWS_OF_METRIC", 3)
    one = writer(database, receiver)
    one.work()
    add(database, "a", 7)
    while one.work():
        pass
    assert receiver.got == expected("a", 1, 7)
    add(database, "b", 2)
    while one.work():
        pass
    assert receiver.got == expected("a", 1, 7) + expected("b", 1, 2)


def test_only_where_a_metric_has_more_rows_than_go_at_a_time_the_next_look_comes_at_once(
    database, receiver, monkeypatch
):
    monkeypatch.setattr(writers, "ROWS_OF_METRIC", 3)
    monkeypatch.setattr(writers, "METRICS_BATCH_SIZE", 2)
    one = writer(database, receiver)
    assert not one.work()
    for name in "abcde":
        add(database, name, 3)
    assert not one.work()  # a look goes through all metrics
    assert len(receiver.got) == 5 * 3
    add(database, "a", 4, first=4)
    assert one.work()
    assert not one.work()
    assert len(receiver.got) == 5 * 3 + 4


def test_metrics_go_in_batches_of_about_a_size(database, receiver, monkeypatch):
    monkeypatch.setattr(writers, "ROWS_BATCH_SIZE", 4)
    monkeypatch.setattr(windows, "METRICS_IN_STATEMENT", 2)
    one = writer(database, receiver)
    one.work()
    sizes, take = [], receiver.send
    receiver.send = lambda batch: (sizes.append(len(batch.timestamps)), take(batch))
    for name in "abcdefg":
        add(database, name, 3)
    one.work()
    assert sizes == [6, 6, 6, 3]
    assert sorted(receiver.got) == [row for name in "abcdefg" for row in expected(name, 1, 3)]


def test_what_was_scored_before_is_written_where_that_is_wanted(database):
    add(database, "a", 2)
    without, with_history = Memory(), Memory()
    with_history.name = "influx"
    writer(database, without).work()
    writer(database, with_history, history=True).work()
    assert without.got == []
    assert with_history.got == expected("a", 1, 2)


def test_other_metrics_are_left_out(database, receiver):
    one = writer(database, receiver, match="web.*")
    one.work()
    add(database, "web.a", 2)
    add(database, "db.a", 2)
    one.work()
    one.work()
    assert receiver.got == expected("web.a", 1, 2)
    with database.read() as conn:
        assert writeback.pending(conn, "graphite", "", limit=9) == []


def test_a_receiver_that_is_away_gets_everything_when_it_is_back(database, receiver):
    one = writer(database, receiver)
    one.work()
    add(database, "a", 3)
    receiver.answers = [Unavailable("away"), Unavailable("away"), Unavailable("away")]
    one.work()
    assert receiver.got == expected("a", 1, 3)


def test_how_long_a_receiver_is_away_is_counted_and_what_waits_is_known(database, receiver):
    counters, away = Counters(), []

    def send(batch):
        with database.read() as conn:
            away.append(
                (counters.snapshot().get("seconds_without_graphite", 0), writeback.waiting(conn, "graphite"))
            )
        if len(away) < 4:
            raise Unavailable("away")

    receiver.send = send
    one = writer(database, receiver, counters=counters)
    one.work()
    add(database, "a", 3)
    one.work()
    seconds = [waited for waited, _ in away]
    assert seconds[0] == 0
    assert sorted(set(seconds)) == seconds
    assert [rows for _, rows in away] == [{"a": 3}] * 4
    assert counters.snapshot()["seconds_without_graphite"] == 0
    with database.read() as conn:
        assert writeback.waiting(conn, "graphite") == {}


def test_what_a_receiver_refuses_keeps_nothing_else_waiting(database, receiver):
    counters = Counters()
    one = writer(database, receiver, counters=counters)
    one.work()
    add(database, "a", 3)
    receiver.answers = [Refused("too old")]
    one.work()
    add(database, "b", 1)
    one.work()
    assert receiver.got == expected("b", 1, 1)
    assert counters.snapshot()["rejected"]["graphite: too old"]["count"] == 3


def test_after_a_kill_between_sending_and_noting_rows_come_again_and_none_is_missed(database, receiver):
    def kill(name):
        raise Killed

    writer(database, receiver).work()
    add(database, "a", 2)
    with pytest.raises(Killed):
        later(database, receiver, kill)
    later(database, receiver)
    assert receiver.got == expected("a", 1, 2) * 2


def later(database, receiver, step=lambda name: None):
    """Work as a process does that takes over: the one before gave its place away, or has stood still."""
    with database.write() as conn:
        conn.execute(schema.writeback_writer.update().values(owner=""))
    writer(database, receiver, step=step).work()


def test_of_two_processes_one_writes(database, receiver):
    first, second = writer(database, receiver), writer(database, receiver)
    first.work()
    add(database, "a", 2)
    second.work()
    assert receiver.got == []
    first.work()
    assert receiver.got == expected("a", 1, 2)
    first.close()
    add(database, "b", 1)
    second.work()
    assert receiver.got == expected("a", 1, 2) + expected("b", 1, 1)


def test_one_that_lost_its_place_notes_nothing(database, receiver):
    first = writer(database, receiver)
    first.work()
    add(database, "a", 2)

    def taken_over(batch):
        with database.write() as conn:
            conn.execute(schema.writeback_writer.update().values(owner="another", beat=99))

    receiver.send = taken_over
    first.work()
    with database.read() as conn:
        assert [one.name for one in writeback.pending(conn, "graphite", "", limit=9)] == ["a"]


def test_what_is_stored_of_deleted_metrics_goes(database, receiver):
    one = writer(database, receiver)
    one.work()
    uid = add(database, "a", 2)
    one.work()
    with database.write() as conn:
        conn.execute(schema.metric.delete().where(schema.metric.c.uid == uid))
        writeback.forget_deleted(conn)
        assert conn.execute(schema.writeback_position.select()).all() == []
