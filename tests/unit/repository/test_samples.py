import struct
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from htmengine.repository import identity, metrics, samples, schema, times
from tests.unit.repository.rows import FIRST_SECOND, add_rows

finite = st.floats(allow_nan=False, allow_infinity=False)


@contextmanager
def trial(database):
    """Give a metric in a transaction of which nothing stays: of each example, the same rows."""
    with database.engine.connect() as conn, conn.begin() as transaction:
        yield conn, metrics.create_custom(conn, ["shared"])["shared"]
        transaction.rollback()


def bits(values):
    return struct.pack(f"<{len(values)}d", *values)


@given(values=st.lists(finite, min_size=1, max_size=20))
def test_values_come_back_bit_for_bit(lasting_database, values):
    with trial(lasting_database) as (conn, uid):
        samples.append(conn, [uid] * len(values), range(1, len(values) + 1), range(len(values)), values)
        read = samples.read(conn, uid, 1, len(values), len(values))
    one_zero = conn.dialect.name != "postgresql"
    assert bits(read.values) == bits([value + 0.0 if one_zero else value for value in values])


@given(seconds=st.lists(st.integers(times.FIRST_SECOND, times.LAST_SECOND), min_size=1, max_size=5))
def test_timestamps_are_stored_as_sqlalchemy_stores_them_and_come_back(lasting_database, seconds):
    with trial(lasting_database) as (conn, uid):
        samples.append(conn, [uid] * len(seconds), range(1, len(seconds) + 1), seconds, [0.0] * len(seconds))
        ours = conn.execute(text("SELECT timestamp FROM metric_data ORDER BY rowid")).scalars().all()
        conn.execute(schema.metric_data.delete())
        rows = [
            {"uid": uid, "rowid": rowid, "timestamp": times.from_epoch(second), "metric_value": 0.0}
            for rowid, second in enumerate(seconds, 1)
        ]
        conn.execute(schema.metric_data.insert(), rows)
        theirs = conn.execute(text("SELECT timestamp FROM metric_data ORDER BY rowid")).scalars().all()
        read = samples.read(conn, uid, 1, len(seconds), len(seconds))
    assert ours == theirs
    assert read.timestamps == seconds


@pytest.mark.parametrize("count", [1, 99, 100, 500, 1001])
def test_any_number_of_rows_is_appended(database, uid, count):
    with database.write() as conn:
        add_rows(conn, uid, count)
    with database.read() as conn:
        rows = samples.read(conn, uid, 1, count, count + 1)
        assert samples.stored_range(conn, uid) == samples.Range(1, count, count)
    assert rows.rowids == list(range(1, count + 1))
    assert rows.timestamps[-1] == FIRST_SECOND + 60 * count


def test_nothing_to_append_changes_nothing(database):
    with database.write() as conn:
        samples.append(conn, [], [], [], [])
        assert samples.advance_last(conn, []) == 0


def test_a_batch_with_a_row_that_is_there_already_leaves_nothing(database, uid):
    with database.write() as conn:
        add_rows(conn, uid, 3)
    with pytest.raises(IntegrityError), database.write() as conn:
        samples.append(conn, [uid] * 2, [4, 3], [FIRST_SECOND] * 2, [0.0] * 2)
    with database.read() as conn:
        assert samples.stored_range(conn, uid) == samples.Range(1, 3, 3)


def test_a_row_of_an_unknown_metric_is_refused(database):
    with pytest.raises(IntegrityError), database.write() as conn:
        samples.append(conn, ["unknown"], [1], [FIRST_SECOND], [0.0])


@pytest.mark.parametrize("second", [times.FIRST_SECOND - 1, times.LAST_SECOND + 1])
def test_a_timestamp_that_no_datetime_holds_is_named(database, uid, second):
    with pytest.raises(ValueError, match=str(second)), database.write() as conn:
        samples.append(conn, [uid], [1], [second], [0.0])


def test_columns_of_different_lengths_are_refused(database, uid):
    with pytest.raises(ValueError, match="columns of"), database.write() as conn:
        samples.append(conn, [uid], [1, 2], [FIRST_SECOND], [0.0])


def test_the_last_rowid_moves_only_from_where_it_is(database, uid):
    with database.write() as conn:
        other = metrics.create_custom(conn, ["other"])["other"]
        assert (
            samples.advance_last(conn, [samples.Advance(uid, 0, 5, 50), samples.Advance(other, 1, 5, 50)])
            == 1
        )
    with database.read() as conn:
        states = metrics.states(conn, [uid, other])
    assert (states[uid].last_rowid, states[uid].tail_timestamp) == (5, 50)
    assert (states[other].last_rowid, states[other].tail_timestamp) == (0, None)


def test_a_last_rowid_of_null_counts_as_0(database, uid):
    with database.write() as conn:
        conn.execute(schema.metric.update().values(last_rowid=None))
        assert samples.advance_last(conn, [samples.Advance(uid, 0, 2, 50)]) == 1
        assert conn.scalar(select(schema.metric.c.last_rowid)) == 2


def test_whole_numbers_among_values_are_stored_as_such(database, uid):
    with database.write() as conn:
        samples.append(conn, [uid] * 3, (1, 2, 3), [FIRST_SECOND] * 3, [1, 0.5, 2**60])
        assert samples.read(conn, uid, 1, 3, 3).values == [1.0, 0.5, 2.0**60]


def test_reading_keeps_to_the_range_and_the_limit(database, uid):
    with database.write() as conn:
        add_rows(conn, uid, 10)
    with database.read() as conn:
        assert samples.read(conn, uid, 3, 8, 4).rowids == [3, 4, 5, 6]
        assert samples.read(conn, uid, 11, 20, 4) == samples.Rows([], [], [], [])
        assert samples.tail(conn, uid, 3).values == [8.0, 9.0, 10.0]
        assert samples.tail(conn, "unknown", 3).values == []
        assert samples.value_range(conn, uid) == (1.0, 10.0)
        assert samples.value_range(conn, "unknown") is None
        assert samples.stored_range(conn, "unknown") is None


def test_the_newest_row_of_metrics_is_the_one_that_they_name(database, uid):
    with database.write() as conn:
        other, empty, pruned = metrics.create_custom(conn, ["other", "empty", "pruned"]).values()
        add_rows(conn, uid, 3)
        add_rows(conn, other, 1)
        add_rows(conn, pruned, 2)
        conn.execute(schema.metric_data.delete().where(schema.metric_data.c.uid == pruned))
        assert samples.newest(conn, [uid, other, empty, pruned, "unknown"]) == {
            uid: samples.Row(3, FIRST_SECOND + 180, 3.0, identity.UNKNOWN),
            other: samples.Row(1, FIRST_SECOND + 60, 1.0, identity.UNKNOWN),
        }
        assert samples.newest(conn, []) == {}


def test_spans_of_several_metrics_are_read_at_once(database, uid):
    with database.write() as conn:
        other, third = metrics.create_custom(conn, ["other", "third"]).values()
        for metric, rows in ((uid, 5), (other, 3), (third, 9)):
            add_rows(conn, metric, rows)
        spans = {uid: (2, 4), other: (2, 4), third: (1, 8), "unknown": (1, 9)}
        found = samples.read_spans(conn, spans)
        assert list(found) == list(spans)
        for metric, (first, last) in spans.items():
            assert found[metric] == samples.read(conn, metric, first, last, 9)
        assert found[other].rowids == [2, 3]
        assert samples.read_spans(conn, {}) == {}
