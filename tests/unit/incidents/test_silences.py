"""Silences among the alarms of incidents."""

import msgspec
import pytest
from sqlalchemy import func, select

from htmengine.alerts.history import alarms_of
from htmengine.incidents import changes, ids, store
from htmengine.incidents.actions import Action, act
from htmengine.repository import schema, silences
from htmengine.repository.silences import Silence
from tests.unit.incidents.alarming import BEGIN, Clock, alarm, create, members, work, writer

NAMES = [f"web.host{host}.{kind}" for host in range(10) for kind in ("cpu", "load", "disk")]


class World:
    """A fleet in which metrics fall silent and come again, and the writer of incidents."""

    def __init__(self, database):
        self.database = database
        self.uids = create(database, [*NAMES, "db.latency", "db.locks"])
        self.clock = Clock()
        self.writer = writer(database, self.clock)

    def silence(self, *names, since_s=0, interval_s=60.0, rowid=100):
        """Let metrics be found silent; the last sample of each has this time."""
        with self.database.write() as conn:
            before = silences.lock_position(conn)
            found = [
                Silence(
                    id=before.silence_id + place,
                    seq=before.seq + 1,
                    uid=self.uids[name],
                    rowid=rowid,
                    since=BEGIN + since_s,
                    value=7.0,
                    interval_s=interval_s,
                    found=int(BEGIN + since_s + interval_s + 300),
                )
                for place, name in enumerate(names, 1)
            ]
            silences.add(conn, found)
            silences.move_position(
                conn, before._replace(seq=before.seq + 1, silence_id=before.silence_id + len(names))
            )
        self.clock.now = max(self.clock.now, found[0].found)
        return self.work()

    def end(self, *names, until_s):
        with self.database.write() as conn:
            before = silences.lock_position(conn)
            own = [self.uids[name] for name in names]
            lasting = {silence.id: BEGIN + until_s for silence in silences.lasting(conn, own)}
            silences.end(conn, lasting, before.seq + 1)
            silences.move_position(conn, before._replace(seq=before.seq + 1))
        self.clock.now = max(self.clock.now, BEGIN + until_s)
        return self.work()

    def work(self):
        work(self.writer)
        with self.database.read() as conn:
            return store.list_incidents(conn)


@pytest.fixture
def world(database):
    return World(database)


def test_a_metric_that_fell_silent_is_an_incident_until_it_comes_again(world):
    (found,) = world.silence("db.latency")
    assert (found["state"], found["severity"], found["opened"]) == ("open", "info", BEGIN + 60)
    (metric,) = found["metrics"]
    assert (metric["cause"], metric["rowid"], metric["time"], metric["value"]) == ("silence", 100, BEGIN, 7.0)
    assert metric["reason"] == "sends nothing"
    assert metric["sentence"] == "has sent nothing since 2023-11-14 22:13 UTC, usually it does every 1 min"
    assert found["sentence"] == f"db.latency: {metric['sentence']}"
    world.clock.now += 40 * 3600
    assert world.work()[0]["state"] == "open"
    (over,) = world.end("db.latency", until_s=40 * 3600)
    assert (over["id"], over["state"], over["resolved"]) == (found["id"], "resolved", BEGIN + 40 * 3600)
    assert over["seq"] > found["seq"]
    assert over["metrics"][0]["reason"] == "sent nothing"
    assert over["metrics"][0]["sentence"] == (
        "sent nothing from 2023-11-14 22:13 to 2023-11-16 14:13 UTC, for 1 d 16 h; usually it does every 1 min"
    )


def test_a_silence_that_nobody_misses_is_over_after_two_days(world):
    world.silence("db.latency")
    world.clock.now += 48 * 3600
    (found,) = world.work()
    assert (found["state"], found["resolved"]) == ("resolved", BEGIN + 360 + 48 * 3600)


def test_a_fleet_whose_relay_died_is_one_incident_with_one_sentence(world):
    for part in range(0, len(NAMES), 5):
        found = world.silence(*NAMES[part : part + 5], since_s=5 * part)
    assert len(found[0]["metrics"]) == store.METRICS_IN_LIST
    (one,) = found
    assert (one["metric_count"], one["alarm_count"], one["severity"]) == (30, 30, "warning")
    assert one["sentence"] == (
        "30 metrics of web fell silent within 2 min 5 s; the last sample of the first is of 2023-11-14 22:13 UTC"
    )
    assert world.end(*NAMES[:29], until_s=7200)[0]["state"] == "open"
    assert world.end(NAMES[29], until_s=7500)[0]["resolved"] == BEGIN + 7500


def test_the_incident_of_silences_and_alarms_is_over_when_both_are(world):
    for name in NAMES[:3]:
        alarm(world.database, world.uids[name], 30)
    (found,) = world.silence(*NAMES[:3])
    assert (found["metric_count"], found["alarm_count"]) == (3, 6)
    assert {metric["cause"] for metric in found["metrics"]} == {"silence"}
    assert "other metrics followed" in found["sentence"]
    (still,) = world.end(*NAMES[:3], until_s=600)
    assert still["state"] == "open"
    world.clock.now = BEGIN + 30 + 1800
    assert world.work()[0]["resolved"] == BEGIN + 30 + 1800


def test_an_incident_that_was_resolved_by_hand_stays_so_when_its_silence_ends(world):
    (found,) = world.silence("db.latency")
    at = world.clock.now + 60
    with world.database.write() as conn:
        act(conn, ids.number_of(found["id"]), Action("resolve", at, "me"))
    (over,) = world.end("db.latency", until_s=9000)
    assert (over["state"], over["resolved"]) == ("resolved", at)


def test_a_metric_that_falls_silent_again_soon_opens_its_incident_again(world):
    (found,) = world.silence("db.latency")
    world.end("db.latency", until_s=600)
    (again,) = world.silence("db.latency", since_s=900, rowid=105)
    assert (again["id"], again["state"], again["alarm_count"]) == (found["id"], "open", 2)
    assert again["metrics"][0]["time"] == BEGIN + 900


def test_silences_are_no_alarms_of_rows(world):
    alarm(world.database, world.uids["db.latency"], 0, rowid=100)
    (found,) = world.silence("db.latency")
    number = ids.number_of(found["id"])
    uid = world.uids["db.latency"]
    assert members(world.database)[number] == {(uid, 100), (uid, -100)}
    with world.database.read() as conn:
        assert conn.scalar(select(func.count()).select_from(schema.metric_alarm)) == 1
        facts = alarms_of(conn, {number: 2})[number]
    assert [(one.cause, one.score, one.time - BEGIN) for one in facts] == [
        ("error", 0.6, 0),
        ("silence", 1.0, 60),
    ]


def test_a_silence_of_a_metric_that_was_deleted_is_in_no_incident(world):
    with world.database.write() as conn:
        conn.execute(schema.metric.delete().where(schema.metric.c.name == "db.latency"))
    assert world.silence("db.latency") == []
    with world.database.read() as conn:
        assert changes.read_position(conn).silence_seq == 1


def test_silences_come_after_the_alarms_that_wait_and_in_any_parts(fresh):
    for batch in (1, 3, 100):
        world = World(fresh())
        world.writer = writer(world.database, world.clock, batch_size=batch)
        for name in NAMES[:6]:
            alarm(world.database, world.uids[name], 0)
        (found,) = world.silence(*NAMES)
        assert (found["metric_count"], found["alarm_count"]) == (30, 36)


def test_what_an_incident_has_of_a_silence_is_json(world):
    world.silence("db.latency")
    with world.database.read() as conn:
        why = conn.scalar(select(schema.incident_metric.c.why))
    assert msgspec.json.decode(why) == {"since": BEGIN, "interval_s": 60.0, "until": None}
