"""How far receivers of scores are."""

import pytest

from htmengine.repository import metrics, schema, writeback
from htmengine.repository.status import MetricStatus
from tests.unit.repository.rows import FIRST_SECOND, add_scored


@pytest.fixture
def uids(database):
    """Give three metrics with two scored rows each, in the order of their uids."""
    with database.write() as conn:
        uids = list(metrics.create_custom(conn, ["a", "b", "c"]).values())
        for uid in uids:
            metrics.start_model(conn, uid, parameters=None, model_params="{}", status=MetricStatus.ACTIVE)
            add_scored(conn, uid, [FIRST_SECOND, FIRST_SECOND + 60], [1.0, 2.0], [0.1, 0.2])
    return sorted(uids)


def pending(conn, after="", limit=9):
    return [
        (one.uid, one.first, one.scored_rowid)
        for one in writeback.pending(conn, "influx", after, limit=limit)
    ]


def test_a_receiver_that_is_new_gets_the_rows_to_come_or_all(database, uids):
    with database.write() as conn:
        assert writeback.begin(conn, "influx", history=True) == ("", 0)
        assert writeback.begin(conn, "graphite", history=False) == ("", 0)
        assert pending(conn) == [(uid, 1, 2) for uid in uids]
        assert writeback.pending(conn, "graphite", "", limit=9) == []


def test_what_was_sent_is_not_pending_any_more(database, uids):
    with database.write() as conn:
        writeback.begin(conn, "influx", history=True)
        found = writeback.pending(conn, "influx", "", limit=2)
        writeback.advance(conn, "influx", [(found[0], 2), (found[1], 1)])
        assert pending(conn) == [(uids[1], 2, 2), (uids[2], 1, 2)]
        assert pending(conn, after=uids[1]) == [(uids[2], 1, 2)]
        writeback.advance(
            conn, "influx", [(one, 2) for one in writeback.pending(conn, "influx", "", limit=9)]
        )
        assert pending(conn) == []


def test_rows_that_begin_anew_are_sent_anew(database, uids):
    with database.write() as conn:
        writeback.begin(conn, "influx", history=True)
        (one, *_) = writeback.pending(conn, "influx", "", limit=1)
        writeback.advance(conn, "influx", [(one, 2)])
        row = schema.writeback_position.update().where(schema.writeback_position.c.uid == one.uid)
        conn.execute(row.values(rowid=900))
        assert pending(conn)[0] == (one.uid, 1, 2)


def test_only_who_writes_renews(database):
    with database.write() as conn:
        writeback.begin(conn, "influx", history=True)
        assert writeback.renew(conn, "influx", "me", ("", 0))
        assert not writeback.renew(conn, "influx", "you", ("", 0))
        assert writeback.begin(conn, "influx", history=True) == ("me", 1)


def test_positions_of_deleted_metrics_go(database, uids):
    with database.write() as conn:
        writeback.begin(conn, "influx", history=False)
        conn.execute(schema.metric.delete().where(schema.metric.c.uid == uids[0]))
        writeback.forget_deleted(conn)
        left = conn.execute(schema.writeback_position.select()).all()
    assert sorted(row.uid for row in left) == uids[1:]
