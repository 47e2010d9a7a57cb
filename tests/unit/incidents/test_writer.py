import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from htmengine.incidents import changes, store
from htmengine.incidents.grouping import group, open_s
from htmengine.incidents.names import Fleet
from htmengine.incidents.writer import TAKE_OVER_S
from htmengine.repository import schema
from htmengine.repository.engine import reading, writing
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


def incidents(engine, **options):
    with reading(engine) as conn:
        return store.list_incidents(conn, **options)


def incident(engine, id_):
    with reading(engine) as conn:
        return store.get_incident(conn, id_)


alarms = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(0, 7200).map(lambda second: 30 * (second // 30))),
    max_size=16,
    unique=True,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(alarms, st.randoms(use_true_random=False), st.integers(1, 5))
def test_any_order_and_any_chunks_give_the_same_incidents_and_told_ids_stay(fresh, found, chance, batch):
    engine = fresh()
    uids = create(engine, NAMES)
    one = writer(engine, batch_size=batch)
    told = {}
    waiting = chance.sample(found, len(found))
    while waiting:
        for name, after_s in [waiting.pop() for _ in range(min(len(waiting), chance.randint(1, 6)))]:
            alarm(engine, uids[name], after_s)
        work(one)
        told |= members(engine)
    expected = group([as_grouped(uids[name], name, after_s) for name, after_s in found], Fleet(NAMES))
    assert {frozenset(own) for own in members(engine).values()} == {
        frozenset(each[:2] for each in own) for own in expected
    }
    for number, own in told.items():
        now = incident(engine, store.id_of(number))
        assert own <= members(engine)[store.number_of(now["id"])]
        assert store.number_of(now["id"]) <= number
    for each in incidents(engine):
        own = [
            (name, after_s)
            for name, after_s in found
            if (uids[name], after_s + 1) in members(engine)[store.number_of(each["id"])]
        ]
        assert each["alarm_count"] == len(own)
        assert each["metric_count"] == len({name for name, _ in own})
        assert each["opened"] == BEGIN + min(after_s for _, after_s in own)
        assert each["changed"] == BEGIN + max(after_s for _, after_s in own)
        for metric in each["metrics"]:
            times = [BEGIN + after_s for name, after_s in own if name == metric["name"]]
            assert (metric["first"], metric["last"], metric["alarms"]) == (min(times), max(times), len(times))


@pytest.fixture
def uids(engine):
    return create(engine, NAMES)


def test_an_alarm_alone_is_an_incident_of_no_severity(engine, uids):
    alarm(engine, uids["db.latency"], 0)
    work(writer(engine))
    [found] = incidents(engine)
    assert found["id"] == "i1"
    assert (found["state"], found["severity"]) == ("open", "info")
    assert found["sentence"] == "db.latency: 932 is far above the forecast of 410 (usual 380 to 455)"
    assert incidents(engine, severity="warning") == []


def test_the_first_mover_is_the_metric_that_alarmed_first(engine, uids):
    alarm(engine, uids["web.a.load"], 120, score=0.9)
    alarm(engine, uids["web.a.cpu"], 0)
    work(writer(engine))
    [found] = incidents(engine)
    assert found["first_mover"] == {"uid": uids["web.a.cpu"], "name": "web.a.cpu", "time": BEGIN}
    assert [(metric["name"], metric["lag"]) for metric in found["metrics"]] == [
        ("web.a.cpu", 0),
        ("web.a.load", 120),
    ]
    assert found["sentence"].startswith("began with web.a.cpu: 932 is far above")
    assert found["sentence"].endswith("; 1 other metric followed within 2 min")


def test_of_several_at_once_the_strongest_moved_first(engine, uids):
    alarm(engine, uids["web.a.cpu"], 0)
    alarm(engine, uids["web.a.load"], 0, score=0.9)
    work(writer(engine))
    [found] = incidents(engine)
    assert found["first_mover"]["name"] == "web.a.load"
    assert found["sentence"].endswith("1 other metric followed at the same time")


def test_an_alarm_that_comes_late_joins_two_incidents_and_both_ids_lead_to_the_first(engine, uids):
    one = writer(engine)
    for after_s in (0, 840):
        alarm(engine, uids["web.a.cpu"] if after_s else uids["web.a.load"], after_s)
        work(one)
    assert [each["id"] for each in incidents(engine)] == ["i2", "i1"]
    alarm(engine, uids["web.a.cpu"], 420)
    work(one)
    [found] = incidents(engine)
    assert found["id"] == "i1"
    assert incident(engine, "i2") == incident(engine, "i1")
    assert found["alarm_count"] == 3


def test_what_pointed_to_an_incident_that_is_joined_points_to_the_new_one(engine, uids):
    one = writer(engine)
    for name, after_s in (("web.a.cpu", 0), ("web.a.cpu", 2400), ("web.a.load", 1200)):
        alarm(engine, uids[name], after_s)
        work(one)
    alarm(engine, uids["web.a.load"], 1980)  # i3 is i2
    work(one)
    assert incident(engine, "i3")["id"] == "i2"
    alarm(engine, uids["web.a.load"], 420)  # and all are i1
    work(one)
    assert {incident(engine, id_)["id"] for id_ in ("i1", "i2", "i3")} == {"i1"}


def test_an_incident_is_resolved_when_it_is_over_and_not_before(engine, uids):
    clock = Clock(BEGIN)
    one = writer(engine, clock)
    alarm(engine, uids["db.latency"], 0)
    work(one)
    clock.now = BEGIN + open_s(60) - 1
    work(one)
    assert incidents(engine)[0]["state"] == "open"
    clock.now += 1
    work(one)
    [found] = incidents(engine)
    assert (found["state"], found["resolved"]) == ("resolved", BEGIN + open_s(60))


def test_an_alarm_that_comes_late_opens_an_incident_again(engine, uids):
    clock = Clock(BEGIN)
    one = writer(engine, clock)
    alarm(engine, uids["db.latency"], 0)
    work(one)
    clock.now = BEGIN + 2000
    work(one)
    alarm(engine, uids["db.latency"], 1200)
    work(one)
    assert incidents(engine)[0]["state"] == "open"


def test_incidents_of_sent_history_are_over(engine, uids):
    alarm(engine, uids["db.latency"], 0)
    work(writer(engine, Clock(BEGIN + 86_400)))
    assert incidents(engine)[0]["state"] == "resolved"


def test_an_alarm_that_is_stored_again_counts_once(engine, uids):
    one = writer(engine)
    alarm(engine, uids["db.latency"], 0)
    work(one)
    with writing(engine) as conn:
        conn.execute(delete(schema.metric_alarm))
    alarm(engine, uids["db.latency"], 0)
    work(one)
    assert [each["alarm_count"] for each in incidents(engine)] == [1]


def test_a_transaction_that_fails_leaves_everything_to_the_next(engine, uids, monkeypatch):
    alarm(engine, uids["db.latency"], 0)
    one = writer(engine)
    with monkeypatch.context() as patched:
        patched.setattr(changes, "move_position", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            one.work()
    assert incidents(engine) == []
    work(one)
    assert [each["id"] for each in incidents(engine)] == ["i1"]


def test_a_second_writer_stands_by_until_the_first_has_stood_still(engine, uids):
    timer = Clock(0.0)
    first, second = writer(engine, timer=timer), writer(engine, timer=timer)
    work(first)
    alarm(engine, uids["db.latency"], 0)
    work(second)
    assert incidents(engine) == []
    timer.now += TAKE_OVER_S - 1
    work(second)
    assert incidents(engine) == []
    timer.now += 1
    work(second)
    assert len(incidents(engine)) == 1


def test_a_writer_that_lives_keeps_others_standing_by(engine, uids):
    timer = Clock(0.0)
    first, second = writer(engine, timer=timer), writer(engine, timer=timer)
    work(first)
    for _ in range(10):
        timer.now += TAKE_OVER_S / 2
        work(first)
        work(second)
    alarm(engine, uids["db.latency"], 0)
    work(second)
    assert incidents(engine) == []


def test_a_writer_that_stops_lets_another_take_over_at_once(engine, uids):
    first, second = writer(engine), writer(engine)
    work(first)
    first.close()
    alarm(engine, uids["db.latency"], 0)
    work(second)
    assert len(incidents(engine)) == 1


def test_two_writers_at_once_do_what_one_does(engine, uids):
    first, second = writer(engine, batch_size=1), writer(engine, batch_size=1)
    for one in (first, second):
        one._may_write = lambda _: True
    for number in range(6):
        alarm(engine, uids["web.a.cpu"], 60 * number)
    while first.work() | second.work():
        pass
    assert [each["alarm_count"] for each in incidents(engine)] == [6]


def test_a_metric_with_rare_samples_looks_farther(engine, uids):
    with writing(engine) as conn:
        for name in ("web.a.cpu", "web.a.load"):
            add_rows(conn, uids[name], 30, step_s=3600)
    alarm(engine, uids["web.a.cpu"], 3600 * 20, rowid=20)
    alarm(engine, uids["web.a.load"], 3600 * 21, rowid=21)
    work(writer(engine))
    assert [each["metric_count"] for each in incidents(engine)] == [2]
    with reading(engine) as conn:
        assert set(conn.scalars(select(schema.incident_alarm.c.interval_s))) == {3600.0}


def test_an_incident_stays_when_its_metric_is_deleted(engine, uids):
    alarm(engine, uids["db.latency"], 0)
    one = writer(engine)
    work(one)
    with writing(engine) as conn:
        conn.execute(delete(schema.metric).where(schema.metric.c.uid == uids["db.latency"]))
    alarm(engine, uids["db.locks;dc=x"], 60)
    work(one)
    assert {metric["name"] for each in incidents(engine) for metric in each["metrics"]} == {
        "db.latency",
        "db.locks;dc=x",
    }


def test_history_of_a_year_is_taken_in_stretches(engine, uids):
    for number in range(50):
        alarm(engine, uids["db.latency"], 7 * 86_400 * number)
    work(writer(engine))
    assert len(incidents(engine)) == 50
