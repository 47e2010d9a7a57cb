"""Messages of scores, with predictions where models make them."""

import numpy as np

from htmengine.htm import params
from htmengine.htm.model import Model
from htmengine.htm.pool import Pool
from htmengine.model_swapper.score_batch import ShardBatch


def shard_batch(uids, rows):
    batch = ShardBatch()
    for row in range(rows):
        for uid in uids:
            batch.samples.extend([uid], [0], [row + 1], [60 * row], [float(row % 5)], [row + 1])
    return batch


def scored(pool, batch, **options):
    samples = batch.samples
    return pool.score(
        samples.uids, np.array(samples.timestamps, dtype=float), np.array(samples.values), **options
    )


def test_predictions_stand_beside_the_scores_of_the_models_that_make_them():
    import msgspec

    predicting = msgspec.structs.replace(
        params.parameter_set("nupic-tm", minimum=0.0, maximum=5.0), classifier=params.Classifier()
    )
    pool = Pool()
    pool.add("predicts", Model(predicting))
    pool.add("does not", Model(params.parameter_set("default")))
    batch = shard_batch(["predicts", "does not"], 20)
    (message,) = batch.messages(scored(pool, batch), 0)
    assert len(message.predictions) == 40
    by_uid = dict(zip(message.uids, message.predictions, strict=True))
    assert set(by_uid["predicts"]) == {"1"}
    assert 0.0 <= by_uid["predicts"]["1"] <= 4.0
    assert by_uid["does not"] is None


def test_without_predicting_models_the_message_has_no_predictions():
    pool = Pool()
    pool.add("m", Model(params.parameter_set("default")))
    batch = shard_batch(["m"], 5)
    (message,) = batch.messages(scored(pool, batch), 0)
    assert message.predictions is None


def test_what_was_expected_stands_beside_the_scores_of_the_models_that_tell_it():
    pool = Pool()
    pool.add("tells", Model(params.parameter_set("default")))
    pool.add("does not", Model(params.parameter_set("nupic", minimum=0.0, maximum=5.0)))
    samples = shard_batch(["tells", "does not"], 60)
    batch = scored(pool, samples)
    samples.suppressed.add(0)
    (message,) = samples.messages(batch, 0)
    columns = (message.forecasts, message.usual_lows, message.usual_highs, message.one_in)
    for name, column in zip(("forecast", "usual_low", "usual_high", "one_in"), columns, strict=True):
        np.testing.assert_array_equal(column, getattr(batch.scores, name)[1:])
    np.testing.assert_array_equal(message.forecasts, np.float32(message.forecasts))
    assert np.isfinite(message.usual_lows[1::2]).sum() == 60 - 31
    assert np.isnan(message.forecasts[0::2]).all()
    alone = shard_batch(["new"], 1)
    pool.add("new", Model(params.parameter_set("nupic", minimum=0.0, maximum=5.0)))
    (without,) = alone.messages(scored(pool, alone), 0)
    assert without.forecasts is without.usual_lows is without.usual_highs is without.one_in is None


def test_a_sample_that_alarms_says_why_and_its_neighbours_do_not():
    pool = Pool()
    pool.add("calm", Model(params.parameter_set("default")))
    pool.add("spike", Model(params.parameter_set("default")))
    batch = shard_batch(["calm", "spike"], 240)
    batch.samples.values[-1] = 500.0
    found = scored(pool, batch, explain_from=0.5)
    (message,) = batch.messages(found, 0)
    assert message.why[:-1] == [None] * 479
    why = message.why[-1]
    assert (why.cause, why.channel, why.alarms_before, why.last_alarm) == ("error", "deviation", 0, None)
    low, high = why.usual
    assert low < high < 500.0
    (suppressed,) = shard_batch(["calm"], 3).messages(found, 0)
    assert suppressed.why is None
