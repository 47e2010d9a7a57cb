"""What is published of scores, and when it is published again."""

import math

import msgspec
import pytest

from htmengine.repository.errors import RepositoryUnavailable
from htmengine.runtime.anomaly_service.stage import AnomalyStage
from tests.unit.runtime.anomaly_service.scored import (
    SPEC,
    START,
    WHY,
    Published,
    alarming,
    defined,
    expecting,
    scores,
)


def test_the_documented_message_says_everything_of_metric_and_rows(at):
    uid = at.monitored("m", 2)
    published = at.give(scores(uid, 1, predictions=True), scores(uid, 2))
    assert published.results == [
        {
            "metric": {
                "uid": uid,
                "name": "m",
                "description": "Custom metric m",
                "resource": "web",
                "location": "",
                "datasource": "custom",
                "spec": SPEC["metricSpec"],
            },
            "results": [
                {
                    "rowid": 1,
                    "ts": START + 60,
                    "value": 1.0,
                    "rawAnomaly": 0.125 + 1 / 1024,
                    "anomaly": 0.25 + 1 / 1024,
                    "multiStepBestPredictions": {"1": 1.5},
                },
                {
                    "rowid": 2,
                    "ts": START + 120,
                    "value": 2.0,
                    "rawAnomaly": 0.125 + 2 / 1024,
                    "anomaly": 0.25 + 2 / 1024,
                    "multiStepBestPredictions": None,
                },
            ],
        }
    ]


def test_a_batch_carries_all_metrics_in_one_message_with_every_score(at):
    first, second = at.monitored("a", 1), at.monitored("b", 1)
    published = at.give(scores(first, 1), scores(second, 1))
    assert published.batch_rowids() == [(first, 1), (second, 1)]
    row = published.batches[0].rows[1]
    assert (row.name, row.log_score, row.sequence_score, row.novelty_score) == (
        "b",
        0.375 + 1 / 1024,
        0.5 + 1 / 1024,
        0.625 + 1 / 1024,
    )


def test_a_batch_says_why_of_those_that_alarm_also_when_it_is_published_again(at):
    first, second = at.monitored("a", 1), at.monitored("b", 2)
    alarm = alarming(scores(second, 1, 2), 2)
    published = at.give(scores(first, 1), alarm)
    assert [row.why for row in published.batches[0].rows] == [msgspec.UNSET, msgspec.UNSET, WHY]
    assert "why" not in published.results[1]["results"][1]
    again = at.give(alarm, deliveries=2)
    assert [row.why for row in again.batches[0].rows] == [msgspec.UNSET, WHY]


def test_a_batch_tells_what_was_expected_also_when_it_is_published_again(at):
    first, second = at.monitored("a", 1), at.monitored("b", 2)
    telling = alarming(expecting(scores(second, 1, 2)), 2)
    rows = at.give(scores(first, 1), telling).batches[0].rows
    assert [(row.forecast, row.usual, row.one_in) for row in rows] == [
        (None, None, None),
        (1.25, (0.5, 1.5), 1000.0),
        (2.25, (1.5, 2.5), 2000.0),
    ]
    rows = at.give(telling, deliveries=2).batches[0].rows
    assert [(row.forecast, row.usual, row.one_in) for row in rows] == [
        (1.25, (0.5, 1.5), None),
        (2.25, (1.5, 2.5), 2000.0),
    ]


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_what_is_not_known_is_null_in_json_and_in_the_repository(at, number):
    uid = at.monitored("m", 1)
    column = [number]
    unknown = msgspec.structs.replace(
        scores(uid, 1), forecasts=column, usual_lows=[1.0], usual_highs=column, one_in=column
    )
    (row,) = at.give(unknown).batches[0].rows
    assert (row.forecast, row.usual, row.one_in) == (None, None, None)
    (stored,) = at.stored(uid)
    assert (stored.forecast, stored.usual_low, stored.usual_high) == (None, 1.0, None)


def test_without_subscribers_scores_are_stored_and_nothing_is_published(at):
    uid = at.monitored("m", 1)
    at.subscribers.exchanges.clear()
    published = at.give(scores(uid, 1), defined(uid))
    assert published == Published()
    assert at.state(uid).scored_rowid == 1


def test_a_redelivered_batch_is_published_again_from_its_rows(at):
    uid = at.monitored("m", 4)
    at.give(scores(uid, 1, 2, predictions=True))
    published = at.give(scores(uid, 1, 2, 3), deliveries=2)
    assert published.rowids() == [(uid, 1), (uid, 2), (uid, 3)]
    assert published.batch_rowids() == published.rowids()
    assert published.results[0]["results"][0]["multiStepBestPredictions"] == {"1": 1.5}
    assert at.state(uid).scored_rowid == 3


def test_what_an_attempt_in_doubt_had_committed_is_published_by_the_next(at, monkeypatch):
    uid = at.monitored("m", 1)
    # A commit whose answer is lost, as on a server: stored, but we were told of an error.
    real = AnomalyStage._committed

    def committed_unheard(self, *arguments):
        real(self, *arguments)
        monkeypatch.setattr(AnomalyStage, "_committed", real)
        raise RepositoryUnavailable("the connection broke while it committed", hint="")

    monkeypatch.setattr(AnomalyStage, "_committed", committed_unheard)
    with pytest.raises(RepositoryUnavailable):
        at.give(scores(uid, 1))
    assert at.give(scores(uid, 1)).rowids() == [(uid, 1)]
    assert at.give(scores(uid, 1)).rowids() == []
