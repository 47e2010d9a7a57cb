import pytest
from sqlalchemy.exc import IntegrityError

from htmengine.htm import explanation
from htmengine.repository import alarms, metrics, schema
from htmengine.repository.alarms import NewAlarm, Position
from htmengine.repository.status import MetricStatus
from htmengine.series import incidents
from tests.unit.repository.rows import FIRST_SECOND, add_scored, explained, rolled_back


def test_what_is_an_alarm_is_the_same_everywhere():
    assert explanation.ALARM == schema.ALARM_LOG_SCORE
    assert incidents.MERGE_ROWS == alarms.MERGE_ROWS


def alarm(uid, rowid, log_score=0.5, **others):
    return NewAlarm(uid, rowid, FIRST_SECOND + 60 * rowid, float(rowid), log_score, **others)


@pytest.fixture
def uids(database):
    with database.write() as conn:
        return list(metrics.create_custom(conn, ["a", "b"]).values())


def store(database, *rows):
    with database.write() as conn:
        alarms.store(conn, rows)


def of(database, uid, **options):
    with database.read() as conn:
        return alarms.alarms_of(conn, uid, **{"limit": 100} | options)


def test_an_alarm_comes_back_as_it_was_stored(database, uid):
    why = '{"cause":"error","foreseen":[[1.0,2.0]],"text":"é 😀 %s"}'
    new = alarm(
        uid,
        7,
        0.1 + 0.5,
        one_in=1e6,
        cause="error",
        channel="deviation",
        direction="up",
        forecast=0.10000000149011612,
        usual_low=-16777216.0,
        usual_high=3.4028234663852886e38,
        why=why,
    )
    store(database, new)
    (found,) = of(database, uid)
    assert found == (found.id, uid, 7, 7, *new[2:5], 0.1 + 0.5, *new[5:])
    store(database, alarm(uid, 30))
    assert of(database, uid)[0][8:] == (None,) * 8


def test_neighbouring_rows_are_of_one_alarm_however_they_are_stored(database, uids):
    rows = [(3, 0.6), (13, 0.5), (14, 0.9), (20, 0.7), (31, 0.55), (32, 0.5)]
    expected = [(3, 3, 0.6), (13, 3, 0.6), (14, 3, 0.9), (20, 3, 0.9), (31, 31, 0.55), (32, 31, 0.55)]
    for uid, sizes in zip(uids, ([6], [1, 2, 1, 2]), strict=True):
        left = [alarm(uid, *row) for row in rows]
        for size in sizes:
            store(database, *left[:size])
            del left[:size]
        found = of(database, uid, since_rowid=0)
        assert [(row.rowid, row.first_rowid, row.peak) for row in found] == expected


def test_a_row_alarms_once(database, uid):
    store(database, alarm(uid, 1))
    with pytest.raises(IntegrityError):
        store(database, alarm(uid, 1))


def test_alarms_of_a_metric_are_paged_both_ways(database, uids):
    store(database, *(alarm(uids[0], rowid) for rowid in (1, 5, 9)), alarm(uids[1], 2))

    def rowids(**options):
        return [row.rowid for row in of(database, uids[0], **options)]

    assert rowids() == [9, 5, 1]
    assert rowids(limit=2) == [9, 5]
    assert rowids(before_rowid=5) == [1]
    assert rowids(since_rowid=1, limit=1) == [5]
    assert rowids(since_rowid=9) == []


def test_pages_over_all_metrics_give_each_alarm_of_a_time_once_the_newest_first(database, uids):
    rows = [alarm(uid, rowid, 0.5 + rowid / 20) for rowid in range(1, 8) for uid in uids]
    store(database, *rows)
    since, until = FIRST_SECOND + 120, FIRST_SECOND + 60 * 7
    expected = sorted(
        ((row.timestamp, row.uid, row.rowid) for row in rows if 2 <= row.rowid < 7), reverse=True
    )
    for limit in (1, 3, 100):
        found, after = [], None
        with database.read() as conn:
            while page := alarms.alarms_between(conn, since, until, after=after, limit=limit):
                found += [(row.timestamp, row.uid, row.rowid) for row in page]
                after = Position(*found[-1])
        assert found == expected
    with database.read() as conn:
        high = alarms.alarms_between(conn, -1e300, 1e300, min_score=0.8, limit=100)
        assert {row.rowid for row in high} == {6, 7}


def test_alarms_are_followed_in_the_order_in_which_they_were_stored(database, uids):
    store(database, alarm(uids[0], 9))
    store(database, alarm(uids[1], 1), alarm(uids[1], 2))
    with database.read() as conn:
        first = alarms.alarms_since(conn, 0, limit=2)
        assert [(row.uid, row.rowid) for row in first] == [(uids[0], 9), (uids[1], 1)]
        rest = alarms.alarms_since(conn, first[-1].id, limit=2)
        assert [(row.uid, row.rowid) for row in rest] == [(uids[1], 2)]


def test_an_id_is_not_given_again(database, uid):
    store(database, alarm(uid, 1))
    (before,) = of(database, uid)
    with database.write() as conn:
        alarms.remove_of(conn, uid, 0)
    store(database, alarm(uid, 2))
    (after,) = of(database, uid)
    assert after.id > before.id


def test_alarms_go_with_the_scores_of_a_model_that_ends_and_with_their_metric(database, uids):
    with database.write() as conn:
        metrics.start_model(conn, uids[0], parameters=None, model_params="{}", status=MetricStatus.ACTIVE)
        add_scored(conn, uids[0], [60, 120], [1.0, 2.0], [0.6, 0.7])
        assert len(alarms.alarms_of(conn, uids[0], limit=9)) == 2
        metrics.clear_model(conn, uids[0])
        assert alarms.alarms_of(conn, uids[0], limit=9) == []
        alarms.store(conn, [alarm(uids[1], 1)])
        conn.execute(schema.metric.delete().where(schema.metric.c.uid == uids[1]))
        assert alarms.alarms_since(conn, 0, limit=9) == []


def test_alarms_of_some_rows_are_looked_up(database, uid):
    store(database, *(alarm(uid, rowid) for rowid in (1, 2, 4)))
    with database.read() as conn:
        assert sorted(alarms.alarms_at(conn, uid, [2, 3, 4])) == [2, 4]


def test_every_reading_uses_an_index(database, uid):
    if database.dialect != "sqlite":
        return  # it decides by how many rows there are
    store(database, alarm(uid, 1))
    after = Position(FIRST_SECOND, uid, 1)
    with explained(database) as plans, database.read() as conn:
        alarms.alarms_of(conn, uid, before_rowid=5, limit=9)
        alarms.alarms_between(conn, 0, 1, after=after, limit=9)
        alarms.alarms_since(conn, 3, limit=9)
    for plan, index in zip(plans(), ["alarm_row_idx", "alarm_time_idx", "INTEGER PRIMARY KEY"], strict=True):
        assert index in plan
        assert "TEMP B-TREE" not in plan


def test_an_alarm_is_stored_with_the_rest_of_its_transaction_or_not(database, uid):
    with rolled_back(database) as conn:
        alarms.store(conn, [alarm(uid, 1)])
        assert len(alarms.alarms_of(conn, uid, limit=1)) == 1
    assert of(database, uid) == []
