import math

import pytest
from sqlalchemy import delete, func, select, update

from htmengine.repository import metrics, samples, schema, silences
from htmengine.repository.samples import Advance
from htmengine.repository.status import MetricStatus
from htmengine.service.lease import TAKE_OVER_S
from htmengine.silence.writer import LIST_S, LimitsFile, Writer
from tests.unit.incidents.alarming import Clock, create
from tests.unit.silence.schedules import MONDAY, regular


class House:
    """A repository, a writer of silences, and a clock for both."""

    def __init__(self, database, rules=None):
        self.database = database
        self.clock = Clock(MONDAY)
        self.waiting = 0.0
        self.rules = rules
        self.writer = self.another()

    def another(self):
        limits = LimitsFile(self.rules)
        return Writer(self.database, lambda: self.waiting, limits, clock=self.clock, timer=self.clock)

    def send(self, uid, times):
        """Store rows."""
        with self.database.write() as conn:
            last = metrics.state(conn, uid).last_rowid
            rowids = list(range(last + 1, last + len(times) + 1))
            samples.advance_last(conn, [Advance(uid, last, rowids[-1], times[-1])])
            samples.append(conn, [uid] * len(times), rowids, times, [float(rowid) for rowid in rowids])

    def run(self, until, sending=None, *, closely_s=900):
        """Let time pass: by minutes, and by 10 s in the last of it; metrics come once a minute, by uid until when."""
        sending = sending or {}
        while self.clock.now < until:
            step_s = 60 if until - self.clock.now > closely_s else 10
            self.clock.now += step_s
            if self.clock.now % 60 < step_s:
                now = self.clock.now - self.clock.now % 60
                for uid, end in sending.items():
                    if now < end:
                        self.send(uid, [now])
            while self.writer.work():
                pass

    def learn(self, *uids):
        """Let metrics come for so long that their rhythm is known."""
        self.run(MONDAY + KNOWN, dict.fromkeys(uids, EVER), closely_s=0)

    def silences(self):
        with self.database.read() as conn:
            return silences.changed_since(conn, 0, limit=1000)

    def rhythms(self):
        with self.database.read() as conn:
            return silences.rhythms(conn)


@pytest.fixture
def house(database):
    return House(database)


@pytest.fixture
def uids(database):
    return create(database, ["web.a", "web.b"])


KNOWN = 1800
"""Seconds after which it is known how often a metric comes that comes once a minute."""
EVER = math.inf


def test_a_metric_that_stops_is_stored_as_silent_and_ends_when_it_comes_again(house, uids):
    a, b = uids["web.a"], uids["web.b"]
    stop = MONDAY + KNOWN
    house.run(stop + 900, {a: stop, b: EVER})
    (silence,) = house.silences()
    last = KNOWN // 60 - 1
    assert (silence.uid, silence.since, silence.rowid, silence.until) == (a, stop - 60, last, None)
    assert (silence.value, silence.interval_s, silence.found) == (last, 60.0, stop - 60 + 360)
    assert silence.missing_since == stop
    house.run(stop + 1200, {a: EVER, b: EVER})
    (ended,) = house.silences()
    assert (ended.id, ended.until) == (silence.id, stop + 960)
    assert ended.seq > silence.seq


def test_what_waits_to_be_stored_is_waited_for(house, uids):
    a = uids["web.a"]
    stop = MONDAY + KNOWN
    house.learn(a)
    for _ in range(60):
        house.waiting += 60
        house.run(house.clock.now + 60)
    assert not house.silences()
    house.send(a, regular(60, KNOWN / 86_400, since=stop + 60))
    house.waiting = 0.0
    house.run(house.clock.now + 300, {a: EVER})
    assert not house.silences()


def test_nothing_is_silent_while_nobody_knows_what_waits(house, uids):
    house.learn(*uids.values())
    house.waiting = math.inf
    house.run(MONDAY + 3 * KNOWN)
    assert not house.silences()


def test_a_machine_that_slept_begins_anew(house, uids):
    house.learn(*uids.values())
    house.clock.now += 8 * KNOWN
    house.run(house.clock.now + 300)
    assert not house.silences()
    house.run(house.clock.now + 300)
    assert {silence.uid for silence in house.silences()} == set(uids.values())


def test_what_was_learned_outlives_a_restart_and_time_in_between_does_not_count(house, uids):
    a, b = uids.values()
    house.learn(a, b)
    known = house.rhythms()
    assert set(known) == {a, b}
    house.writer.close()
    house.clock.now += 5 * KNOWN
    house.writer = house.another()
    began = house.clock.now
    house.run(began + 350)
    assert not house.silences()
    house.run(began + 600, {b: EVER})
    assert [(silence.uid, silence.found) for silence in house.silences()] == [(a, began + 10 + 360)]


def test_a_silence_outlives_a_restart(house, uids):
    a = uids["web.a"]
    house.run(MONDAY + 2 * KNOWN, {a: MONDAY + KNOWN})
    house.writer.close()
    house.writer = house.another()
    house.run(MONDAY + 2 * KNOWN + 120)
    (silence,) = house.silences()
    assert silence.until is None
    house.run(MONDAY + 2 * KNOWN + 300, {a: EVER})
    assert house.silences()[0].until


def test_of_two_writers_one_is_active_and_the_other_takes_over(house, uids):
    other = house.another()
    first = house.writer
    house.learn(*uids.values())
    for _ in range(5):
        house.clock.now += 2
        first.work()
        assert not other.work()
    house.clock.now += TAKE_OVER_S
    house.writer = other
    house.run(house.clock.now + 900)
    assert len(house.silences()) == 2
    first.work()  # it sees that another one writes, and stands by
    assert len(house.silences()) == 2


@pytest.mark.parametrize("how", ["unmonitored", "deleted"])
def test_a_metric_that_is_watched_no_more_ends_its_silence_and_is_forgotten(house, uids, how):
    a, b = uids.values()
    house.run(MONDAY + 2 * KNOWN, {a: MONDAY + KNOWN, b: EVER})
    with house.database.write() as conn:
        if how == "deleted":
            conn.execute(delete(schema.metric_data).where(schema.metric_data.c.uid == a))
            conn.execute(delete(schema.metric).where(schema.metric.c.uid == a))
        else:
            ours = schema.metric.c.uid == a
            conn.execute(update(schema.metric).where(ours).values(status=MetricStatus.UNMONITORED))
    house.run(house.clock.now + LIST_S + 20, {b: EVER})
    (silence,) = house.silences()
    assert silence.until is not None
    assert set(house.rhythms()) == {b}


def test_a_metric_without_a_model_is_never_silent(house, uids):
    with house.database.write() as conn:
        conn.execute(update(schema.metric).values(status=MetricStatus.UNMONITORED))
    house.run(MONDAY + 3 * KNOWN, dict.fromkeys(uids.values(), MONDAY + KNOWN))
    assert not house.silences()


def test_a_rule_says_what_is_silent_and_a_changed_file_is_read(house, database, tmp_path, uids):
    rules = tmp_path / "monitor-rules.conf"
    rules.write_text("[a]\npattern = *.a\naction = monitor\nsilence = 2m\n")
    house = House(database, rules)
    a, b = uids["web.a"], uids["web.b"]
    house.run(MONDAY + KNOWN + 150, {a: MONDAY + KNOWN, b: MONDAY + KNOWN})
    assert [silence.uid for silence in house.silences()] == [a]
    rules.write_text("[all]\npattern = *\naction = monitor\nsilence = off\n")
    house.run(MONDAY + 2 * KNOWN)
    assert [silence.uid for silence in house.silences()] == [a]


def test_a_file_with_faults_leaves_the_rules_as_they_are(tmp_path):
    rules = tmp_path / "monitor-rules.conf"
    rules.write_text("[a]\npattern = *\naction = monitor\nsilence = 2m\n")
    limits = LimitsFile(rules)
    assert limits.has_changed()
    assert not limits.has_changed()
    rules.write_text("[a]\npattern = *\naction = monitor\nsilence = soonish\n")
    assert not limits.has_changed()
    assert limits.limit("x") == 120


def test_a_transaction_that_fails_leaves_nothing_behind_and_the_silence_is_found_again(house, uids):
    a = uids["web.a"]
    house.learn(a)

    def fail(name):
        if name == "silence.stored":
            raise RuntimeError

    house.writer._step = fail
    with pytest.raises(RuntimeError):
        house.run(MONDAY + KNOWN + 600)
    assert not house.silences()
    house.writer._step = lambda _: None
    house.run(house.clock.now + 900)
    assert [silence.uid for silence in house.silences()] == [a]


def test_silences_are_followed_by_their_changes_in_whole_transactions(house, uids):
    house.run(MONDAY + 2 * KNOWN, dict.fromkeys(uids.values(), MONDAY + KNOWN))
    with house.database.read() as conn:
        first = silences.changed_since(conn, 0, limit=1)
        assert len(first) == 2
        assert not silences.changed_since(conn, first[-1].seq, limit=1)
        assert silences.lasting(conn) == first
        own = first[0].uid
        assert silences.lasting(conn, [own]) == first[:1]
        assert silences.of_metric(conn, own, MONDAY, MONDAY + KNOWN) == first[:1]
        assert not silences.of_metric(conn, own, MONDAY, MONDAY + KNOWN / 2)
        assert conn.scalar(select(func.count()).select_from(schema.metric_alarm)) == 0
