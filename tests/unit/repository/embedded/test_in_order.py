"""What is proven of rows by their times alone; that nothing wrong is taken for right is tried in `test_row_checks`, too."""

import pytest

from htmengine.repository import metrics
from htmengine.repository.embedded.in_order import _SCORED, _TIMES, _UNSCORED, Times, Wanted, in_order

GOOD = [(rowid, 60 * rowid, 0.5, 0.25) for rowid in range(1, 6)]


def written(database, uid, rows):
    with database.write() as conn:
        for row in rows:
            conn.exec_driver_sql(
                "INSERT INTO merged_row (metric, rowid, time, value, raw_anomaly_score, anomaly_score)"
                " SELECT id, ?, ?, 1.0, ?, ? FROM metric_number WHERE uid = ?",
                (*row, uid),
            )


def changed(rowid, *row):
    """Return rows of which one is another, or is not there."""
    return [(*row,) if one[0] == rowid else one for one in GOOD if row or one[0] != rowid]


def proven(database, uid, first=1, last=5, are_scored=True):
    with database.read() as conn:
        return in_order(conn, [Wanted(uid, first, last, are_scored)])[0]


def test_rows_with_scores_are_in_order(database, uid):
    written(
        database, uid, [(0, 600, None, None), *GOOD, (6, 0, 7.0, 7.0)]
    )  # those beside them are not looked at
    assert proven(database, uid) == Times(60, 300)
    assert proven(database, uid, 2, 2) == Times(120, 120)


def test_rows_without_scores_are_in_order_where_none_are_wanted(database, uid):
    written(database, uid, [(rowid, time, None, None) for rowid, time, _, _ in GOOD])
    assert proven(database, uid, are_scored=False) == Times(60, 300)
    assert proven(database, uid) is None


def test_times_before_the_epoch_are_times(database, uid):
    written(database, uid, [(rowid, time - 1000, *scores) for rowid, time, *scores in GOOD])
    assert proven(database, uid) == Times(-940, -700)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        changed(3),
        changed(1),
        changed(5),
        changed(3, 3, 120, 0.5, 0.25),
        changed(3, 3, 300, 0.5, 0.25),
        changed(3, 3, 180.5, 0.5, 0.25),
        changed(3, 3, "soon", 0.5, 0.25),
        changed(3, 3, "150,180", 0.5, 0.25),
        changed(3, 3, "150,180", 0.5, 0.25)[:-1],
        changed(3, 3, "", 0.5, 0.25),
        changed(3, 3, 180, None, 0.25),
        changed(3, 3, 180, 0.5, None),
        changed(3, 3, 180, None, None),
        changed(3, 3, 180, 1.0000001, 0.25),
        changed(3, 3, 180, 0.5, -0.0000001),
        changed(3, 3, 180, "0.5 or so", 0.25),
    ],
)
def test_nothing_is_proven_where_anything_is_wrong(database, uid, rows):
    written(database, uid, rows)
    assert proven(database, uid) is None


def test_each_metric_stands_for_itself(database):
    with database.write() as conn:
        uids = [*metrics.create_custom(conn, ["a", "b", "c"]).values()]
    written(database, uids[0], GOOD)
    written(database, uids[1], changed(3, 3, 120, 0.5, 0.25))
    written(database, uids[2], [(rowid, time - 100, *scores) for rowid, time, *scores in GOOD])
    with database.read() as conn:
        found = in_order(conn, [Wanted(uid, 1, 5, True) for uid in uids])
    assert found == [Times(60, 300), None, Times(-40, 200)]


def test_rows_are_read_in_the_order_of_their_rowids(database):
    with database.read() as conn:
        for condition in (_SCORED, _UNSCORED):
            plan = conn.exec_driver_sql("EXPLAIN QUERY PLAN " + _TIMES + condition, ("", 1, 2)).all()
            assert "SEARCH merged_row USING PRIMARY KEY (metric=? AND rowid>? AND rowid<?)" in [row[3] for row in plan]  # fmt: skip
