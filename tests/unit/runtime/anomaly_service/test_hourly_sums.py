"""Hours are summed up beside the work on scores."""

import math

import pytest

from htmengine.repository import hours, metrics
from htmengine.repository.status import MetricStatus
from htmengine.runtime.anomaly_service import hourly_sums
from htmengine.runtime.anomaly_service.hourly_sums import PASS_INTERVAL_S, HourlySums
from tests.unit.repository.rows import add_scored
from tests.unit.repository.test_hours import ROWS, expected


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def database(at):
    return at.database


@pytest.fixture
def uids(database):
    """Give five metrics with the same rows, of three hours that are over and one that is not."""
    with database.write() as conn:
        uids = sorted(metrics.create_custom(conn, list("abcde")).values())
        for uid in uids:
            metrics.start_model(conn, uid, parameters=None, model_params="{}", status=MetricStatus.ACTIVE)
            add_scored(conn, uid, *zip(*ROWS, strict=True))
    return uids


def stored(database, uid):
    with database.read() as conn:
        return hours.stored(conn, uid, -math.inf, math.inf)


def test_a_pass_comes_to_every_metric_and_the_next_after_a_while(database, uids, clock):
    sums = HourlySums(database, timer=clock)
    assert sums.advance() == 5 * 18
    assert [stored(database, uid) for uid in uids] == [expected(ROWS[:18])] * 5
    assert sums.advance() == 0
    with database.write() as conn:
        add_scored(conn, uids[2], [ROWS[-1][0] + 3600], [1.0], [0.1])
    assert sums.advance() == 0
    clock.now += PASS_INTERVAL_S
    assert sums.advance() == 2
    assert stored(database, uids[2]) == expected(ROWS)


@pytest.mark.parametrize("at_once", [1, 5, 7, 18, 40])
def test_a_step_sums_up_few_rows_and_a_pass_that_left_some_is_followed_by_the_next(
    database, uids, clock, monkeypatch, at_once
):
    monkeypatch.setattr(hourly_sums, "ROWS_BATCH_SIZE", at_once)
    sums = HourlySums(database, timer=clock)
    steps = [sums.advance() for _ in range(200)]
    assert sum(steps) == 5 * 18
    assert max(steps) < at_once + 18
    assert [stored(database, uid) for uid in uids] == [expected(ROWS[:18])] * 5


def test_two_that_sum_up_at_the_same_time_count_each_row_once(database, uids, clock, monkeypatch):
    first, second = HourlySums(database, timer=clock), HourlySums(database, timer=clock)
    real = hours.store

    def overtaken(conn, sums):
        monkeypatch.setattr(hours, "store", real)
        return False

    monkeypatch.setattr(hours, "store", overtaken)
    assert first.advance() == 0
    assert second.advance() == 5 * 18
    while first.advance() or first._uid is not None:
        pass
    assert [stored(database, uid) for uid in uids] == [expected(ROWS[:18])] * 5


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_metrics_that_are_known_to_miss_hours_come_first_and_alone(
    database, uids, clock, monkeypatch, at_once
):
    sums = HourlySums(database, timer=clock)
    sums.advance()
    for uid in uids:
        with database.write() as conn:
            add_scored(conn, uid, [ROWS[-1][0] + 3600, ROWS[-1][0] + 7200], [1.0, 2.0], [0.1, 0.2])
    monkeypatch.setattr(hourly_sums, "ROWS_BATCH_SIZE", at_once)
    sums.add([uids[3], uids[1], "gone"])
    assert sum(sums.advance() for _ in range(10)) == 2 * 3
    assert [len(stored(database, uid)) for uid in uids] == [3, 5, 3, 5, 3]


def test_missed_hours_are_tried_again_where_somebody_else_was_faster(database, uids, clock, monkeypatch):
    real = hours.store

    def overtaken(conn, sums):
        monkeypatch.setattr(hours, "store", real)
        return False

    sums = HourlySums(database, timer=clock)
    monkeypatch.setattr(hours, "store", overtaken)
    sums.add(uids)
    assert [sums.advance() for _ in range(2)] == [0, 5 * 18]
    assert [stored(database, uid) for uid in uids] == [expected(ROWS[:18])] * 5
