"""Why a sample got its scores."""

import dataclasses
import math

import msgspec
import numpy as np
import pytest

from htmengine.htm import params
from htmengine.htm.model import Model
from htmengine.htm.pool import Pool

FIVE_MINUTES = 300.0


def daily_season(count):
    times = 1.7e9 + FIVE_MINUTES * np.arange(count)
    noise = np.random.default_rng(1).normal(0.0, 2.0, count)
    return times, 50.0 + 30.0 * np.sin(times / 86400.0 * 2 * np.pi) + noise


def explained(times, values):
    """The model after the series, the scores, and the explanations of its alarms."""
    model = Model(params.parameter_set("default"))
    return model, *model.score_and_explain(times, values)


def test_a_spike_lies_far_from_its_forecast_and_from_what_was_usual():
    times, values = daily_season(3000)
    values[2900] += 60.0
    _, _, why = explained(times, values)
    spike = why[2900]
    assert spike.channel == "deviation"
    assert spike.cause in ("distance", "error")  # whichever is a little stronger
    low, high = spike.usual
    assert low < values[2900] - 60.0 < high < values[2900]
    assert spike.forecast == pytest.approx(values[2900] - 60.0, abs=8.0)
    assert 1e5 <= spike.one_in == spike.scores.one_in


def test_the_margin_holds_for_99_of_100_values():
    times, values = daily_season(3000)
    model = Model(params.parameter_set("default"))
    _, why = model.score_and_explain(times, values, threshold=0.0)
    outside = [abs(e.value - e.forecast) > e.margin for e in why.values() if e.margin is not None]
    assert len(outside) >= 3000 - 205
    assert 0.003 < np.mean(outside) < 0.03


def test_levels_in_another_order_are_an_unknown_sequence():
    times = 1.7e9 + FIVE_MINUTES * np.arange(3000)
    # Eleven: none of them comes at the same time each day, which would be a level of that time.
    levels = np.array([0.0, 50.0, 10.0, 60.0, 20.0, 70.0, 30.0, 80.0, 40.0, 90.0, 15.0])
    values = levels[np.arange(3000) % 11] + np.random.default_rng(1).normal(0.0, 1.0, 3000)
    values[2900:2955] = np.random.default_rng(2).permutation(np.repeat(levels, 5))
    _, _, why = explained(times, values)
    assert {e.cause for place, e in why.items() if 2900 <= place < 2960} == {"sequence"}


@pytest.mark.parametrize("channel", ["sequence", "jump", "extreme", "deviation"])
def test_a_channel_that_is_off_is_no_cause(channel):
    times, values = daily_season(3000)
    values[2900] += 90.0
    values[2950:2980] = np.random.default_rng(2).permutation(np.linspace(20.0, 120.0, 30))
    only = msgspec.structs.replace(params.parameter_set("default"), channels=(channel,))
    _, why = Model(only).score_and_explain(times, values, threshold=0.3)
    assert {explanation.channel for explanation in why.values()} == {channel}


def test_what_the_memory_foresaw_of_the_value_is_what_the_raw_score_leaves():
    times, values = daily_season(800)
    model = Model(params.parameter_set("default"))
    for time, value in zip(times, values, strict=True):
        raw = model.score_one(time, value).raw_anomaly_score
        expected = model.explain().expected
        [foreseen] = [b.foreseen for b in expected if b.low <= value < b.high or b.low == value == b.high]
        assert foreseen == pytest.approx(1.0 - raw)
        assert 1 <= len(expected) <= 256


def test_a_known_sequence_is_foreseen_and_its_values_are_named():
    times = 1.7e9 + FIVE_MINUTES * np.arange(2000)
    values = np.where(np.arange(2000) % 2 == 0, 10.0, 20.0)
    model, *_ = explained(times, values)
    [(low, high)] = model.explain().foreseen(0.95)
    assert low <= 20.0 < high
    assert high - low < 5.0


def test_alarms_before_are_counted_with_the_time_of_the_last():
    times, values = daily_season(3000)
    values[[2500, 2700, 2900]] += 60.0
    _, scores, why = explained(times, values)
    alarms = np.flatnonzero(scores.log_score >= 0.5)
    assert alarms.tolist() == sorted(why)
    assert [why[place].alarms_before for place in alarms] == list(range(len(alarms)))
    assert [why[place].last_alarm for place in alarms] == [None, *times[alarms[:-1]]]


def test_an_alarm_within_an_incident_is_damped_and_not_counted():
    times, values = daily_season(3000)
    values[2900:2904] += [60.0, -60.0, 60.0, 80.0]
    model = Model(params.parameter_set("default"))
    _, why = model.score_and_explain(times, values, threshold=0.2)
    assert not why[2900].damped
    assert why[2903].damped
    assert why[2903].alarms_before == why[2900].alarms_before + 1


def test_an_explanation_survives_saving_and_a_sample_without_a_value():
    times, values = daily_season(600)
    model, *_ = explained(times, values)
    before = model.explain()
    model.score_one(times[-1] + FIVE_MINUTES, math.nan)
    assert model.explain() == before
    assert Model.load(model.save()).explain() == before


def test_to_explain_changes_no_score():
    times, values = daily_season(1500)
    values[1400] += 60.0
    model = Model(params.parameter_set("default"))
    scores, why = model.score_and_explain(times, values, threshold=0.0)
    assert len(why) == 1500
    for column, expected in zip(
        scores, Model(params.parameter_set("default")).score_series(times, values), strict=True
    ):
        np.testing.assert_array_equal(column, expected)


def test_a_pool_explains_as_its_models_do():
    times, values = daily_season(1500)
    values[1400] += 60.0
    _, _, expected = explained(times, values)
    pool = Pool()
    for key in "ab":
        pool.add(key, Model(params.parameter_set("default")))
    keys = ["a", "b"] * 1500
    found = pool.score(keys, np.repeat(times, 2), np.repeat(values, 2), threads=2, explain_from=0.5)
    assert found.why == {2 * place + offset: why for place, why in expected.items() for offset in (0, 1)}
    assert pool.score(["a"], times[-1:] + 1.0, [1e6]).why == {}


def test_before_the_first_sample_there_is_nothing_to_explain_and_of_the_first_nothing_is_unusual():
    model = Model(params.parameter_set("default"))
    assert model.explain() is None
    model.score_one(1.7e9, 5.0)
    first = model.explain()
    assert (first.cause, first.channel, first.forecast, first.usual, first.last_alarm) == (None,) * 5
    assert first.expected == ((5.0, 5.0, 0.0),)


def test_the_models_of_nupic_explain_nothing():
    model = Model(params.parameter_set("nupic-tm", minimum=0.0, maximum=100.0))
    _, why = model.score_and_explain([0.0, 1.0], [1.0, 2.0], threshold=0.0)
    assert why == {}
    assert model.explain() is None


def test_an_explanation_is_frozen():
    model, *_ = explained(*daily_season(3))
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.explain().value = 3.0
