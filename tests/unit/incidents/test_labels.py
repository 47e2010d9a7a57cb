import pytest

from htmengine.incidents import actions, ids, labels, store
from htmengine.incidents.actions import Action
from htmengine.incidents.labels import Label
from tests.unit.incidents.alarming import BEGIN, Clock, alarm, create, work, writer

NOW = BEGIN + 10_000


@pytest.fixture
def uids(database):
    return create(database, ["web.a", "web.b", "db"])


def listed(database, **options):
    with database.read() as conn:
        return labels.labels(conn, now=NOW, **options)


def add(database, **values):
    with database.write() as conn:
        given = {
            "uid": None,
            "match": None,
            "begins": BEGIN,
            "ends": BEGIN + 60,
            "kind": "anomaly",
            "created": NOW,
        }
        return labels.add(conn, Label(**given | values))


def test_a_label_is_kept_with_who_and_why_and_removed(database, uids):
    made = add(database, uid=uids["web.a"], note="disk was full", by="me")
    assert listed(database) == [made]
    assert (made.id, labels.number_of(made.id)) == (f"l{made.number}", made.number)
    with database.write() as conn:
        assert labels.remove(conn, made.number)
        assert not labels.remove(conn, made.number)
    assert listed(database) == []
    assert add(database, uid=uids["web.a"]).number > made.number


def test_a_label_that_says_the_same_is_made_once(database, uids):
    made = add(database, uid=uids["web.a"], note="first")
    assert add(database, uid=uids["web.a"], note="second") == made
    assert add(database, uid=uids["web.b"]) != made
    assert add(database, match="web.*") == add(database, match="web.*")
    assert len(listed(database)) == 3


def test_labels_are_found_by_metric_pattern_kind_and_time(database, uids):
    own = add(database, uid=uids["web.a"])
    pattern = add(database, match="web.*", kind="ignore", begins=BEGIN + 100, ends=BEGIN + 200)
    add(database, match="db*")
    assert listed(database, uid=uids["web.a"]) == [own, pattern]
    assert listed(database, uid=uids["web.b"]) == [pattern]
    assert listed(database, kind="ignore") == [pattern]
    assert listed(database, uid=uids["web.a"], until=BEGIN + 60) == [own]
    assert listed(database, uid=uids["web.a"], since=BEGIN + 61) == [pattern]


def test_a_label_that_has_expired_is_left_out(database, uids):
    add(database, uid=uids["db"], created=NOW - 100, expires=NOW)
    assert listed(database) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"match": "a*", "uid": "u"}, "a metric or a pattern"),
        ({}, "a metric or a pattern"),
        ({"uid": "u", "ends": BEGIN - 1}, "ends before it begins"),
        ({"uid": "u", "kind": "odd"}, "none of anomaly, normal, ignore"),
        ({"uid": "u", "expires": NOW - 1}, "expires before"),
        ({"uid": "u", "ends": 10**12}, "years 1 to 9999"),
        ({"uid": "u", "note": "x" * 2001}, "more than 2000"),
        ({"match": "x" * 301}, "1 to 300"),
    ],
)
def test_what_cannot_be_a_label_is_told(database, wrong, words):
    with pytest.raises(ValueError, match=words):
        add(database, **wrong)


def test_a_verdict_is_a_label_of_each_metric_of_its_incident_and_the_last_one_counts(database, uids):
    for name in ("web.a", "web.b", "db"):
        alarm(database, uids[name], 0)
    alarm(database, uids["web.b"], 60)
    work(writer(database, Clock(NOW)))
    with database.read() as conn:
        (one,) = [incident for incident in store.list_incidents(conn) if incident["metric_count"] == 3]
    number = ids.number_of(one["id"])
    with database.write() as conn:
        actions.act(conn, number, Action("verdict", NOW, "me", "", verdict="true"))
        actions.act(conn, number, Action("comment", NOW, "me", "hm"))
    assert {(found.uid, found.begins, found.ends, found.kind) for found in listed(database)} == {
        (uids["web.a"], BEGIN, BEGIN, "anomaly"),
        (uids["web.b"], BEGIN, BEGIN + 60, "anomaly"),
        (uids["db"], BEGIN, BEGIN, "anomaly"),
    }
    with database.write() as conn:
        actions.act(conn, number, Action("verdict", NOW + 1, "you", "backup", verdict="false"))
    (found,) = listed(database, uid=uids["web.b"])
    assert found == Label(
        uid=uids["web.b"],
        match=None,
        begins=BEGIN,
        ends=BEGIN + 60,
        kind="normal",
        note="backup",
        by="you",
        created=NOW + 1,
        incident=one["id"],
    )
    assert found.id == one["id"]
    assert labels.number_of(found.id) is None
    assert listed(database, kind="anomaly") == []
