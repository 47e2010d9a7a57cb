import pytest

from htmengine.repository import fleet, metrics
from htmengine.repository.status import MetricStatus
from tests.unit.repository.rows import add_rows, add_scored, explained
from tests.unit.repository.test_hours import BEGIN, HOUR


@pytest.fixture
def uids(database):
    """Give three metrics: one with five hours of rows, one with half an hour, one without a score."""
    with database.write() as conn:
        uids = list(metrics.create_custom(conn, ["long", "short", "new"]).values())
        for uid in uids:
            metrics.start_model(conn, uid, parameters=None, model_params="{}", status=MetricStatus.ACTIVE)
        add_scored(conn, uids[0], *zip(*ROWS, strict=True))
        times = [BEGIN + 4 * HOUR + 300 * number for number in range(6)]
        scores = [0.1, 0.6, 0.3, 0.7, 0.0, 0.2]
        add_scored(conn, uids[1], times, scores, scores, forecasts=scores_as_stored(scores))
        add_rows(conn, uids[2], 2)
    return uids


def scores_as_stored(scores):
    return [round(score * 1024) / 1024 for score in scores]


ROWS = [(BEGIN + 600 * row, float(row), ((row * 7) % 30) / 100) for row in range(30)]


def test_the_newest_row_of_each_metric_comes_with_its_scores(database, uids):
    with database.read() as conn:
        found = fleet.newest_rows(conn, [*uids, "unknown"])
        scored = fleet.newest_rows(conn, uids, scored=True)
    assert found[uids[1]] == (6, BEGIN + 4 * HOUR + 1500, 0.2, *found[uids[1]][3:4], 0.2, *[205 / 1024] * 3)
    assert found[uids[2]][:1] + found[uids[2]][2:] == (2, 2.0, None, None, None, None, None)
    assert found.keys() == set(uids)
    assert scored == {uid: found[uid] for uid in uids[:2]}


def test_metrics_are_ranked_by_their_alarms_in_a_time(database, uids):
    with database.write() as conn:
        other = metrics.create_custom(conn, ["other"])["other"]
        metrics.start_model(conn, other, parameters=None, model_params="{}", status=MetricStatus.ACTIVE)
        add_scored(conn, other, [BEGIN, BEGIN + 4 * HOUR + 600], [0.0, 0.0], [0.9, 0.65])
        first = BEGIN + 4 * HOUR + 300
        late = fleet.ranked(conn, first, first + 3600, limit=9)
        assert late == [(uids[1], 0.7, 2, first), (other, 0.65, 1, first + 300)]
        assert fleet.ranked(conn, 0, 2**40, limit=1) == [(other, 0.9, 2, BEGIN)]
        assert fleet.ranked(conn, BEGIN, first, limit=9) == [(other, 0.9, 1, BEGIN)]
        strip = fleet.alarming(conn, BEGIN, BEGIN + 5 * HOUR, 600)
        assert strip == {BEGIN: 1, BEGIN + 4 * HOUR: 1, BEGIN + 4 * HOUR + 600: 2}


def test_rows_are_found_by_key(database, uids):
    if database.dialect != "sqlite":
        return  # it decides by how many rows there are
    with explained(database) as plans, database.read() as conn:
        fleet.newest_rows(conn, uids)
        fleet.ranked(conn, BEGIN, BEGIN + HOUR, limit=9)
        fleet.alarming(conn, BEGIN, BEGIN + HOUR, 300)
    assert not [plan for plan in plans() if "SCAN metric" in plan or "timestamp_idx (" in plan]
