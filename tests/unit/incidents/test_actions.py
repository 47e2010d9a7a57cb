import pytest

from htmengine.incidents import actions, store
from htmengine.incidents.actions import Action, NotOpen
from htmengine.repository.retention import remove_incidents
from tests.unit.incidents.alarming import BEGIN, Clock, alarm, create, work, writer

HOUR_S = 3600


@pytest.fixture
def clock():
    return Clock(BEGIN + 120)


@pytest.fixture
def uids(database):
    return create(database, ["web.a", "web.b", "db.a"])


@pytest.fixture
def writes(database, uids, clock):
    """Give a writer that has put two alarms into an incident, which is open."""
    alarm(database, uids["web.a"], 0)
    alarm(database, uids["web.b"], 60)
    writes = writer(database, clock)
    work(writes)
    return writes


def act(database, kind, at=120, incident=1, **what):
    with database.write() as conn:
        return actions.act(conn, incident, Action(kind, BEGIN + at, "ann", **what))


def shown(database, id_="i1"):
    with database.read() as conn:
        return store.get_incident(conn, id_)


def test_what_people_did_is_kept_with_who_and_when(database, writes):
    act(database, "ack", note="looking")
    act(database, "comment", at=130, note="a disk")
    act(database, "verdict", at=140, verdict="true")
    act(database, "ack", at=150, note="still looking")
    act(database, "snooze", at=160, until=BEGIN + HOUR_S)
    found = shown(database)
    assert found["ack"] == {"by": "ann", "at": BEGIN + 150, "note": "still looking"}
    assert found["verdict"] == {"verdict": "true", "by": "ann", "at": BEGIN + 140, "note": ""}
    assert found["snoozed_until"] == BEGIN + HOUR_S
    assert [one["action"] for one in found["history"]] == ["ack", "comment", "verdict", "ack", "snooze"]
    assert found["history"][1]["note"] == "a disk"


def test_whoever_follows_incidents_hears_of_an_action(database, writes):
    with database.read() as conn:
        before = store.last_seq(conn)
    act(database, "comment", note="!")
    with database.read() as conn:
        assert [one["id"] for one in store.changed_since(conn, before)] == ["i1"]


def test_there_is_nothing_to_be_done_about_an_incident_that_is_not_there(database, writes):
    assert act(database, "ack", incident=7) is None


def test_an_incident_that_is_over_cannot_be_snoozed(database, writes):
    act(database, "resolve")
    with pytest.raises(NotOpen):
        act(database, "snooze", until=BEGIN + HOUR_S)
    assert [one["action"] for one in shown(database)["history"]] == ["resolve"]


def test_an_incident_that_was_resolved_stays_so_for_alarms_of_before(database, uids, writes):
    act(database, "resolve")
    assert shown(database)["resolved"] == BEGIN + 120
    alarm(database, uids["web.b"], 90)
    work(writes)
    found = shown(database)
    assert (found["state"], found["alarm_count"]) == ("resolved", 3)
    assert found["resolved"] == BEGIN + 120


def test_an_incident_that_was_resolved_is_open_again_when_it_alarms_later(database, uids, writes):
    act(database, "resolve")
    alarm(database, uids["web.b"], 150)
    work(writes)
    assert shown(database)["state"] == "open"


def test_to_resolve_what_is_over_changes_not_when_it_was(database, clock, writes):
    clock.now = BEGIN + 10 * HOUR_S
    work(writes)
    over = shown(database)["resolved"]
    act(database, "resolve", at=11 * HOUR_S)
    assert shown(database)["resolved"] == over
    assert len(shown(database)["history"]) == 1


def test_what_was_done_about_an_incident_that_becomes_part_of_another_is_of_that(database, clock):
    names = [f"web.{letter}" for letter in "abcdef"]
    uids = create(database, names)
    alarm(database, uids["web.a"], 0)
    alarm(database, uids["web.b"], 1500)
    writes = writer(database, clock)
    work(writes)
    assert shown(database, "i2")["id"] == "i2"
    act(database, "comment", incident=1, note="first")
    act(database, "comment", incident=2, note="second")
    for name in names[2:]:  # a crowd between the two
        for at in (300, 600, 900, 1200):
            alarm(database, uids[name], at)
    work(writes)
    assert shown(database, "i2")["id"] == "i1"
    assert act(database, "comment", incident=2, note="third") == 1
    assert [one["note"] for one in shown(database)["history"]] == ["first", "second", "third"]


def test_what_was_done_goes_with_its_incident(database, clock, writes):
    act(database, "comment", note="!")
    clock.now = BEGIN + 10 * HOUR_S
    work(writes)
    with database.write() as conn:
        assert remove_incidents(conn, BEGIN + 9 * HOUR_S, limit=10) == 1
        assert actions.actions_of(conn, [1]) == {}


def test_what_people_said_of_an_incident_stands_with_its_metrics_and_finds_it(database, uids, writes):
    def found(handling, at=200):
        with database.read() as conn:
            listed = store.list_incidents(conn, handling=handling, now=BEGIN + at)
            (member,) = {store.members_of_open(conn)[uids[name]] for name in ("web.a", "web.b")}
        return [one["id"] for one in listed], member

    handlings = ("new", "acknowledged", "snoozed")
    assert [found(handling)[0] for handling in handlings] == [["i1"], [], []]
    assert found("new")[1] == ("i1", BEGIN + 60, None, None)
    act(database, "snooze", until=BEGIN + 300)
    assert [found(handling)[0] for handling in handlings] == [[], [], ["i1"]]
    member = found("new")[1]
    assert (member.is_snoozed(BEGIN + 299), member.is_snoozed(BEGIN + 300)) == (True, False)
    assert found("snoozed", at=300)[0] == []
    act(database, "snooze", at=130, until=BEGIN + 210)  # the last one counts
    assert found("snoozed", at=211)[0] == []
    act(database, "ack", at=140)
    assert [found(handling, at=220)[0] for handling in handlings] == [[], ["i1"], []]
    assert found("new")[1].acknowledged_by == "ann"
