"""Alarms are stored with their scores, once."""

import msgspec
import pytest

from htmengine.messages import decode_why
from htmengine.repository import alarms
from htmengine.runtime.anomaly_service.alarms import new_alarms
from tests.unit.runtime.anomaly_service.scored import START, WHY, alarming, expecting, scores


def stored(at, uid):
    with at.database.read() as conn:
        return alarms.alarms_of(conn, uid, since_rowid=0, limit=100)


def test_a_row_that_alarms_is_stored_as_such_with_its_reason(at):
    uid, calm = at.monitored("m", 3), at.monitored("calm", 2)
    at.give(alarming(expecting(scores(uid, 1, 2, 3)), 2, 3), scores(calm, 1, 2))
    second, third = stored(at, uid)
    assert (second.rowid, second.timestamp, second.value, second.log_score) == (2, START + 120, 2.0, 0.75)
    assert (second.one_in, second.cause, second.channel) == (2000.0, "error", "deviation")
    assert (second.direction, second.forecast, second.usual_low, second.usual_high) == (
        "down",
        2.25,
        1.5,
        2.5,
    )
    assert decode_why(second.why) == WHY
    assert (third.rowid, third.first_rowid, third.peak) == (3, 2, 0.75)
    assert stored(at, calm) == []


def test_an_alarm_of_a_model_that_tells_nothing_is_stored_without_reason(at):
    uid = at.monitored("m", 1)
    at.give(alarming(scores(uid, 1), 1, why=None))
    (found,) = stored(at, uid)
    assert found[8:] == (None,) * 8


@pytest.mark.parametrize("deliveries", [1, 2])
def test_scores_that_come_again_give_no_second_alarm(at, deliveries):
    uid = at.monitored("m", 3)
    for rowids in ((1, 2), (1, 2), (2, 3), (1, 2, 3)):
        at.give(alarming(scores(uid, *rowids), 2, 3), deliveries=deliveries)
    assert [alarm.rowid for alarm in stored(at, uid)] == [2, 3]


def test_scores_that_are_not_taken_give_no_alarm(at):
    uid = at.monitored("m", 3)
    at.give(alarming(scores(uid, 2, 3), 2, 3), alarming(scores(uid, 1, generation=4), 1))
    assert stored(at, uid) == []


@pytest.mark.parametrize(
    ("cause", "forecast", "direction"),
    [
        ("error", 1.0, "up"),
        ("extreme", 9.0, "down"),
        ("offset", 2.0, "pattern"),
        ("sequence", 1.0, "pattern"),
        ("unrest", 1.0, "pattern"),
        ("jump", None, None),
    ],
)
def test_the_direction_is_the_side_of_the_forecast_unless_the_pattern_is_unusual(cause, forecast, direction):
    why = msgspec.structs.replace(WHY, cause=cause, forecast=forecast)
    assert [alarm.direction for alarm in new_alarms(alarming(scores("u", 2), 2, why=why))] == [direction]
