import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import delete, select

from htmengine.incidents import changes, ids, store
from htmengine.incidents.grouping import group, open_s
from htmengine.incidents.names import Fleet
from htmengine.repository import schema
from htmengine.service.lease import TAKE_OVER_S
from tests.support.examples import examples
from tests.unit.incidents.alarming import (
    BEGIN,
    Clock,
    alarm,
    as_grouped,
    create,
    members,
    work,
    writer,
)
from tests.unit.repository.rows import add_rows

NAMES = ["web.a.cpu", "web.a.load", "web.b.cpu", "db.latency", "db.locks;dc=x", "queue;dc=x"]


def incidents(database, **options):
    with database.read() as conn:
        return store.list_incidents(conn, **options)


def incident(database, id_):
    with database.read() as conn:
        return store.get_incident(conn, id_)


alarms = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(0, 7200).map(lambda second: 30 * (second // 30))),
    max_size=16,
    unique=True,
)


@examples(25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(alarms, st.randoms(use_true_random=False), st.integers(1, 5))
def test_any_order_and_any_chunks_give_the_same_incidents_and_told_ids_stay(fresh, found, chance, batch):
    database = fresh()
    uids = create(database, NAMES)
    one = writer(database, batch_size=batch)
    known = {}
    waiting = chance.sample(found, len(found))
    while waiting:
        for name, after_s in [waiting.pop() for _ in range(min(len(waiting), chance.randint(1, 6)))]:
            alarm(database, uids[name], after_s)
        work(one)
        known |= members(database)
    expected = group([as_grouped(uids[name], name, after_s) for name, after_s in found], Fleet(NAMES))
    assert {frozenset(own) for own in members(database).values()} == {
        frozenset(each[:2] for each in own) for own in expected
    }
    for number, own in known.items():
        now = incident(database, ids.id_of(number))
        assert own <= members(database)[ids.number_of(now["id"])]
        assert ids.number_of(now["id"]) <= number
    for each in incidents(database):
        own = [
            (name, after_s)
            for name, after_s in found
            if (uids[name], after_s + 1) in members(database)[ids.number_of(each["id"])]
        ]
        assert each["alarm_count"] == len(own)
        assert each["metric_count"] == len({name for name, _ in own})
        assert each["opened"] == BEGIN + min(after_s for _, after_s in own)
        assert each["changed"] == BEGIN + max(after_s for _, after_s in own)
        for metric in each["metrics"]:
            times = [BEGIN + after_s for name, after_s in own if name == metric["name"]]
            assert (metric["first"], metric["last"], metric["alarms"]) == (min(times), max(times), len(times))


@pytest.fixture
def uids(database):
    return create(database, NAMES)


def test_an_alarm_alone_is_an_incident_of_no_severity(database, uids):
    alarm(database, uids["db.latency"], 0)
    work(writer(database))
    [found] = incidents(database)
    assert found["id"] == "i1"
    assert (found["state"], found["severity"]) == ("open", "info")
    assert found["sentence"] == "db.latency: 932 is far above the forecast of 410 (usual 380 to 455)"
    assert incidents(database, severity="warning") == []


def test_the_first_mover_is_the_metric_that_alarmed_first(database, uids):
    alarm(database, uids["web.a.load"], 120, score=0.9)
    alarm(database, uids["web.a.cpu"], 0)
    work(writer(database))
    [found] = incidents(database)
    assert found["first_mover"] == {"uid": uids["web.a.cpu"], "name": "web.a.cpu", "time": BEGIN}
    assert [(metric["name"], metric["lag"]) for metric in found["metrics"]] == [
        ("web.a.cpu", 0),
        ("web.a.load", 120),
    ]
    assert found["sentence"].startswith("began with web.a.cpu: 932 is far above")
    assert found["sentence"].endswith("; 1 other metric followed within 2 min")


def test_of_several_at_once_the_strongest_moved_first(database, uids):
    alarm(database, uids["web.a.cpu"], 0)
    alarm(database, uids["web.a.load"], 0, score=0.9)
    work(writer(database))
    [found] = incidents(database)
    assert found["first_mover"]["name"] == "web.a.load"
    assert found["sentence"].endswith("1 other metric followed at the same time")


def test_an_alarm_that_comes_late_joins_two_incidents_and_both_ids_lead_to_the_first(database, uids):
    one = writer(database)
    for after_s in (0, 840):
        alarm(database, uids["web.a.cpu"] if after_s else uids["web.a.load"], after_s)
        work(one)
    assert [each["id"] for each in incidents(database)] == ["i2", "i1"]
    alarm(database, uids["web.a.cpu"], 420)
    work(one)
    [found] = incidents(database)
    assert found["id"] == "i1"
    assert incident(database, "i2") == incident(database, "i1")
    assert found["alarm_count"] == 3


def test_what_pointed_to_an_incident_that_is_joined_points_to_the_new_one(database, uids):
    one = writer(database)
    for name, after_s in (("web.a.cpu", 0), ("web.a.cpu", 2400), ("web.a.load", 1200)):
        alarm(database, uids[name], after_s)
        work(one)
    alarm(database, uids["web.a.load"], 1980)  # i3 is i2
    work(one)
    assert incident(database, "i3")["id"] == "i2"
    alarm(database, uids["web.a.load"], 420)  # and all are i1
    work(one)
    assert {incident(database, id_)["id"] for id_ in ("i1", "i2", "i3")} == {"i1"}


def test_an_incident_is_resolved_when_it_is_over_and_not_before(database, uids):
    clock = Clock(BEGIN)
    one = writer(database, clock)
    alarm(database, uids["db.latency"], 0)
    work(one)
    clock.now = BEGIN + open_s(60) - 1
    work(one)
    assert incidents(database)[0]["state"] == "open"
    clock.now += 1
    work(one)
    [found] = incidents(database)
    assert (found["state"], found["resolved"]) == ("resolved", BEGIN + open_s(60))


def test_an_alarm_that_comes_late_opens_an_incident_again(database, uids):
    clock = Clock(BEGIN)
    one = writer(database, clock)
    alarm(database, uids["db.latency"], 0)
    work(one)
    clock.now = BEGIN + 2000
    work(one)
    alarm(database, uids["db.latency"], 1200)
    work(one)
    assert incidents(database)[0]["state"] == "open"


def test_incidents_of_sent_history_are_over(database, uids):
    alarm(database, uids["db.latency"], 0)
    work(writer(database, Clock(BEGIN + 86_400)))
    assert incidents(database)[0]["state"] == "resolved"


def test_an_alarm_that_is_stored_again_counts_once(database, uids):
    one = writer(database)
    alarm(database, uids["db.latency"], 0)
    work(one)
    with database.write() as conn:
        conn.execute(delete(schema.metric_alarm))
    alarm(database, uids["db.latency"], 0)
    work(one)
    assert [each["alarm_count"] for each in incidents(database)] == [1]


def test_a_transaction_that_fails_leaves_everything_to_the_next(database, uids, monkeypatch):
    alarm(database, uids["db.latency"], 0)
    one = writer(database)
    with monkeypatch.context() as patched:
        patched.setattr(changes, "move_position", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            one.work()
    assert incidents(database) == []
    work(one)
    assert [each["id"] for each in incidents(database)] == ["i1"]


def test_a_second_writer_stands_by_until_the_first_has_stood_still(database, uids):
    timer = Clock(0.0)
    first, second = writer(database, timer=timer), writer(database, timer=timer)
    work(first)
    alarm(database, uids["db.latency"], 0)
    work(second)
    assert incidents(database) == []
    timer.now += TAKE_OVER_S - 1
    work(second)
    assert incidents(database) == []
    timer.now += 1
    work(second)
    assert len(incidents(database)) == 1


def test_a_writer_that_lives_keeps_others_standing_by(database, uids):
    timer = Clock(0.0)
    first, second = writer(database, timer=timer), writer(database, timer=timer)
    work(first)
    for _ in range(10):
        timer.now += TAKE_OVER_S / 2
        work(first)
        work(second)
    alarm(database, uids["db.latency"], 0)
    work(second)
    assert incidents(database) == []


def test_a_writer_that_stops_lets_another_take_over_at_once(database, uids):
    first, second = writer(database), writer(database)
    work(first)
    first.close()
    alarm(database, uids["db.latency"], 0)
    work(second)
    assert len(incidents(database)) == 1


def test_two_writers_at_once_do_what_one_does(database, uids):
    first, second = writer(database, batch_size=1), writer(database, batch_size=1)
    for one in (first, second):
        one._may_write = lambda _: True
    for number in range(6):
        alarm(database, uids["web.a.cpu"], 60 * number)
    while first.work() | second.work():
        pass
    assert [each["alarm_count"] for each in incidents(database)] == [6]


def test_a_metric_with_rare_samples_looks_farther(database, uids):
    with database.write() as conn:
        for name in ("web.a.cpu", "web.a.load"):
            add_rows(conn, uids[name], 30, step_s=3600)
    alarm(database, uids["web.a.cpu"], 3600 * 20, rowid=20)
    alarm(database, uids["web.a.load"], 3600 * 21, rowid=21)
    work(writer(database))
    assert [each["metric_count"] for each in incidents(database)] == [2]
    with database.read() as conn:
        assert set(conn.scalars(select(schema.incident_alarm.c.interval_s))) == {3600.0}


def test_an_incident_stays_when_its_metric_is_deleted(database, uids):
    alarm(database, uids["db.latency"], 0)
    one = writer(database)
    work(one)
    with database.write() as conn:
        conn.execute(delete(schema.metric).where(schema.metric.c.uid == uids["db.latency"]))
    alarm(database, uids["db.locks;dc=x"], 60)
    work(one)
    assert {metric["name"] for each in incidents(database) for metric in each["metrics"]} == {
        "db.latency",
        "db.locks;dc=x",
    }


def test_history_of_a_year_is_taken_in_stretches(database, uids):
    for number in range(50):
        alarm(database, uids["db.latency"], 7 * 86_400 * number)
    work(writer(database))
    assert len(incidents(database)) == 50


def test_a_few_alarms_are_one_turn_and_more_are_taken_at_once(database):
    first, *others = create(database, NAMES[:5]).values()
    one = writer(database, batch_size=2)
    alarm(database, first, 0)
    assert not one.work()
    assert len(members(database)) == 1
    for uid in others:
        alarm(database, uid, 0)
    assert [one.work() for _ in range(3)] == [True, True, False]
