import pytest

from htmengine.incidents import store
from htmengine.repository.retention import remove_incidents
from tests.unit.incidents.alarming import BEGIN, Clock, alarm, create, members, work, writer

HOUR_S = 3600


@pytest.fixture
def one(database):
    """Give a writer and eight incidents, an hour apart, of which the newest two are open; every third has two metrics."""
    names = [
        f"{kind}{number}.{what}" for kind in ("Web", "db_x") for number in range(4) for what in ("a", "b")
    ]
    uids = create(database, names)
    for number, name in enumerate(names[::2]):
        alarm(database, uids[name], HOUR_S * number, score=0.5 + 0.05 * number)
        if number % 3 == 0:
            alarm(database, uids[names[2 * number + 1]], HOUR_S * number + 60)
    clock = Clock(BEGIN + 7 * HOUR_S - HOUR_S // 2)
    writes = writer(database, clock)
    work(writes)
    return writes


def ids(database, **options):
    with database.read() as conn:
        return [each["id"] for each in store.list_incidents(conn, **options)]


def test_open_incidents_come_first_then_the_newest(database, one):
    assert ids(database) == ["i8", "i7", "i6", "i5", "i4", "i3", "i2", "i1"]
    with database.read() as conn:
        states = [each["state"] for each in store.list_incidents(conn)]
    assert states == ["open"] * 2 + ["resolved"] * 6


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"state": "open"}, ["i8", "i7"]),
        ({"state": "resolved", "limit": 2}, ["i6", "i5"]),
        ({"severity": "warning"}, ["i7", "i4", "i1"]),
        ({"severity": "info"}, ["i8", "i6", "i5", "i3", "i2"]),
        ({"since": BEGIN + 6 * HOUR_S}, ["i8", "i7"]),
        ({"until": BEGIN + HOUR_S}, ["i2", "i1"]),
        ({"match": "db*"}, ["i8", "i7", "i6", "i5"]),
        ({"match": "db_x0.?"}, ["i5"]),
        ({"match": "db?x0.a"}, ["i5"]),
        ({"match": "web*"}, []),
        ({"match": "[Ww]eb*"}, []),
        ({"match": "Web0.b"}, ["i1"]),
    ],
)
def test_incidents_are_found_by_what_they_are(database, one, options, found):
    assert ids(database, **options) == found


def test_incidents_are_found_by_a_metric(database, one):
    with database.read() as conn:
        uid = store.get_incident(conn, "i3")["metrics"][0]["uid"]
    assert ids(database, uid=uid) == ["i3"]


@pytest.mark.parametrize("limit", [1, 3, 5, 8, 9])
def test_pages_give_every_incident_once(database, one, limit):
    with database.read() as conn:
        page = store.list_incidents(conn, limit=limit)
        found = list(page)
        while page:
            page = store.list_incidents(conn, limit=limit, after=store.cursor_of(page[-1]))
            found += page
        assert found == store.list_incidents(conn)


@pytest.mark.parametrize("id_", ["i9", "i0", "", "x", "i-1", "i1 ", "I1", "i99999999999999999999", "i1;"])
def test_there_is_no_incident_of_another_id(database, one, id_):
    with database.read() as conn:
        assert store.get_incident(conn, id_) is None


def test_an_incident_is_told_with_all_its_metrics(database, one):
    with database.read() as conn:
        found = store.get_incident(conn, "i1")
    assert found["max"] == 0.6
    assert (found["opened"], found["changed"], found["resolved"]) == (BEGIN, BEGIN + 60, BEGIN + 60 + 1800)
    assert (found["metric_count"], found["alarm_count"]) == (2, 2)
    assert [(each["name"], each["lag"], each["max"]) for each in found["metrics"]] == [
        ("Web0.a", 0, 0.5),
        ("Web0.b", 60, 0.6),
    ]
    assert found["metrics"][0]["reason"] == "far above its forecast"
    assert found["metrics"][0]["sentence"] == "932 is far above the forecast of 410 (usual 380 to 455)"
    assert found["url"] == "i/i1"


def test_changes_are_told_once_and_in_their_order(database, one):
    with database.read() as conn:
        seq = store.last_seq(conn)
        assert len(store.changed_since(conn, 0)) == 8
        assert len(store.changed_since(conn, 0, limit=1)) == 8  # they are of one transaction
        assert store.changed_since(conn, seq) == []


def test_a_merge_is_told_as_a_change_of_both(database):
    uids = create(database, ["web.a", "web.b"])
    one = writer(database)
    for after_s in (0, 840):
        alarm(database, uids["web.a"] if after_s else uids["web.b"], after_s)
        work(one)
    with database.read() as conn:
        seq = store.last_seq(conn)
    alarm(database, uids["web.a"], 420)
    work(one)
    with database.read() as conn:
        found = store.changed_since(conn, seq)
    assert [(each["id"], each["state"], each.get("merged_into")) for each in found] == [
        ("i1", "open", None),
        ("i2", "merged", "i1"),
    ]


def test_a_metric_knows_its_open_incident(database, one):
    with database.read() as conn:
        uids = {each["metrics"][0]["uid"]: each["id"] for each in store.list_incidents(conn)}
        found = store.open_incidents_of(conn, [*uids, "nobody"])
    assert found == {uid: id_ for uid, id_ in uids.items() if id_ in ("i8", "i7")}


def test_incidents_are_counted(database, one):
    with database.read() as conn:
        assert store.count(conn, state="open") == 2
        assert store.count(conn, state="open", severity="warning") == 1
        assert store.count(conn, severity="info", since=BEGIN + 2 * HOUR_S, match="Web*") == 1


def test_a_list_names_the_first_movers_of_an_incident_of_very_many_metrics(database):
    names = [f"web.m{number}" for number in range(60)]
    uids = create(database, names)
    for number, name in enumerate(names):
        alarm(database, uids[name], number)
    work(writer(database))
    with database.read() as conn:
        [listed] = store.list_incidents(conn)
        whole = store.get_incident(conn, "i1")
    assert listed["metric_count"] == whole["metric_count"] == 60
    assert [each["name"] for each in listed["metrics"]] == names[: store.METRICS_IN_LIST]
    assert [each["name"] for each in whole["metrics"]] == names
    assert listed["sentence"] == whole["sentence"]
    assert listed["sentence"].endswith("59 other metrics followed within 59 s")


def test_an_alarm_of_a_model_that_cannot_explain_is_told(database):
    uids = create(database, ["web.a"])
    alarm(database, uids["web.a"], 0, why=None)
    work(writer(database))
    with database.read() as conn:
        [found] = store.list_incidents(conn)
    assert found["sentence"] == "web.a: 932 is unusual"


def test_old_incidents_are_removed_with_what_was_joined_to_them(database):
    uids = create(database, ["web.a", "web.b"])
    clock = Clock(BEGIN + 10 * HOUR_S)
    one = writer(database, clock)
    for name, after_s in (("web.b", 0), ("web.a", 840), ("web.a", 420), ("web.b", 9 * HOUR_S)):
        alarm(database, uids[name], after_s)
        work(one)
    with database.write() as conn:
        assert remove_incidents(conn, BEGIN + HOUR_S, limit=10) == 1
        assert remove_incidents(conn, BEGIN + HOUR_S, limit=10) == 0
    with database.read() as conn:
        assert [store.get_incident(conn, id_) for id_ in ("i1", "i2")] == [None, None]
        assert [each["id"] for each in store.list_incidents(conn)] == ["i3"]
    assert list(members(database)) == [3]
