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


class World:
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
def world(database):
    return World(database)


@pytest.fixture
def uids(database):
    return create(database, ["web.a", "web.b"])


KNOWN = 1800
"""Seconds after which it is known how often a metric comes that comes once a minute."""
EVER = math.inf


def test_a_metric_that_stops_is_stored_as_silent_and_ends_when_it_comes_again(world, uids):
    a, b = uids["web.a"], uids["web.b"]
    stop = MONDAY + KNOWN
    world.run(stop + 900, {a: stop, b: EVER})
    (silence,) = world.silences()
    last = KNOWN // 60 - 1
    assert (silence.uid, silence.since, silence.rowid, silence.until) == (a, stop - 60, last, None)
    assert (silence.value, silence.interval_s, silence.found) == (last, 60.0, stop - 60 + 360)
    assert silence.missing_since == stop
    world.run(stop + 1200, {a: EVER, b: EVER})
    (ended,) = world.silences()
    assert (ended.id, ended.until) == (silence.id, stop + 960)
    assert ended.seq > silence.seq


def test_what_waits_to_be_stored_is_waited_for(world, uids):
    a = uids["web.a"]
    stop = MONDAY + KNOWN
    world.learn(a)
    for _ in range(60):
        world.waiting += 60
        world.run(world.clock.now + 60)
    assert not world.silences()
    world.send(a, regular(60, KNOWN / 86_400, since=stop + 60))
    world.waiting = 0.0
    world.run(world.clock.now + 300, {a: EVER})
    assert not world.silences()


def test_nothing_is_silent_while_nobody_knows_what_waits(world, uids):
    world.learn(*uids.values())
    world.waiting = math.inf
    world.run(MONDAY + 3 * KNOWN)
    assert not world.silences()


def test_a_machine_that_slept_begins_anew(world, uids):
    world.learn(*uids.values())
    world.clock.now += 8 * KNOWN
    world.run(world.clock.now + 300)
    assert not world.silences()
    world.run(world.clock.now + 300)
    assert {silence.uid for silence in world.silences()} == set(uids.values())


def test_what_was_learned_outlives_a_restart_and_time_in_between_does_not_count(world, uids):
    a, b = uids.values()
    world.learn(a, b)
    known = world.rhythms()
    assert set(known) == {a, b}
    world.writer.close()
    world.clock.now += 5 * KNOWN
    world.writer = world.another()
    began = world.clock.now
    world.run(began + 350)
    assert not world.silences()
    world.run(began + 600, {b: EVER})
    assert [(silence.uid, silence.found) for silence in world.silences()] == [(a, began + 10 + 360)]


def test_a_silence_outlives_a_restart(world, uids):
    a = uids["web.a"]
    world.run(MONDAY + 2 * KNOWN, {a: MONDAY + KNOWN})
    world.writer.close()
    world.writer = world.another()
    world.run(MONDAY + 2 * KNOWN + 120)
    (silence,) = world.silences()
    assert silence.until is None
    world.run(MONDAY + 2 * KNOWN + 300, {a: EVER})
    assert world.silences()[0].until


def test_of_two_writers_one_is_active_and_the_other_takes_over(world, uids):
    other = world.another()
    first = world.writer
    world.learn(*uids.values())
    for _ in range(5):
        world.clock.now += 2
        first.work()
        assert not other.work()
    world.clock.now += TAKE_OVER_S
    world.writer = other
    world.run(world.clock.now + 900)
    assert len(world.silences()) == 2
    first.work()  # it sees that another one writes, and stands by
    assert len(world.silences()) == 2


@pytest.mark.parametrize("how", ["unmonitored", "deleted"])
def test_a_metric_that_is_watched_no_more_ends_its_silence_and_is_forgotten(world, uids, how):
    a, b = uids.values()
    world.run(MONDAY + 2 * KNOWN, {a: MONDAY + KNOWN, b: EVER})
    with world.database.write() as conn:
        if how == "deleted":
            conn.execute(delete(schema.metric_data).where(schema.metric_data.c.uid == a))
            conn.execute(delete(schema.metric).where(schema.metric.c.uid == a))
        else:
            ours = schema.metric.c.uid == a
            conn.execute(update(schema.metric).where(ours).values(status=MetricStatus.UNMONITORED))
    world.run(world.clock.now + LIST_S + 20, {b: EVER})
    (silence,) = world.silences()
    assert silence.until is not None
    assert set(world.rhythms()) == {b}


def test_a_metric_without_a_model_is_never_silent(world, uids):
    with world.database.write() as conn:
        conn.execute(update(schema.metric).values(status=MetricStatus.UNMONITORED))
    world.run(MONDAY + 3 * KNOWN, dict.fromkeys(uids.values(), MONDAY + KNOWN))
    assert not world.silences()


def test_a_rule_says_what_is_silent_and_a_changed_file_is_read(world, database, tmp_path, uids):
    rules = tmp_path / "monitor-rules.conf"
    rules.write_text("[a]\npattern = *.a\naction = monitor\nsilence = 2m\n")
    world = World(database, rules)
    a, b = uids["web.a"], uids["web.b"]
    world.run(MONDAY + KNOWN + 150, {a: MONDAY + KNOWN, b: MONDAY + KNOWN})
    assert [silence.uid for silence in world.silences()] == [a]
    rules.write_text("[all]\npattern = *\naction = monitor\nsilence = off\n")
    world.run(MONDAY + 2 * KNOWN)
    assert [silence.uid for silence in world.silences()] == [a]


def test_a_file_with_faults_leaves_the_rules_as_they_are(tmp_path):
    rules = tmp_path / "monitor-rules.conf"
    rules.write_text("[a]\npattern = *\naction = monitor\nsilence = 2m\n")
    limits = LimitsFile(rules)
    assert limits.has_changed()
    assert not limits.has_changed()
    rules.write_text("[a]\npattern = *\naction = monitor\nsilence = soonish\n")
    assert not limits.has_changed()
    assert limits.limit("x") == 120


def test_a_transaction_that_fails_leaves_nothing_behind_and_the_silence_is_found_again(world, uids):
    a = uids["web.a"]
    world.learn(a)

    def fail(name):
        if name == "silence.stored":
            raise RuntimeError

    world.writer._step = fail
    with pytest.raises(RuntimeError):
        world.run(MONDAY + KNOWN + 600)
    assert not world.silences()
    world.writer._step = lambda _: None
    world.run(world.clock.now + 900)
    assert [silence.uid for silence in world.silences()] == [a]


def test_silences_are_followed_by_their_changes_in_whole_transactions(world, uids):
    world.run(MONDAY + 2 * KNOWN, dict.fromkeys(uids.values(), MONDAY + KNOWN))
    with world.database.read() as conn:
        first = silences.changed_since(conn, 0, limit=1)
        assert len(first) == 2
        assert not silences.changed_since(conn, first[-1].seq, limit=1)
        assert silences.lasting(conn) == first
        own = first[0].uid
        assert silences.lasting(conn, [own]) == first[:1]
        assert silences.of_metric(conn, own, MONDAY, MONDAY + KNOWN) == first[:1]
        assert not silences.of_metric(conn, own, MONDAY, MONDAY + KNOWN / 2)
        assert conn.scalar(select(func.count()).select_from(schema.metric_alarm)) == 0
