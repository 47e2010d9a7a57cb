"""What every model promises, whatever its parameters."""

import math
import struct
import zlib
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from htmengine.htm import params
from htmengine.htm.explanation import SeriesScores
from htmengine.htm.model import _HEADER, Model, OutOfOrderSample, UnreadableModel
from htmengine.htm.pool import MISSING, OUT_OF_ORDER, SCORED, Pool
from tests.support.examples import examples, part


def narrow(name, **options):
    """Return a parameter set of NuPIC with an eighth of its columns: what they cost is most of the time of these tests."""
    parameters = params.parameter_set(name, minimum=0.0, maximum=100.0, **options)
    return replace(parameters, pooler=replace(parameters.pooler, columns=256))


SETS = {
    "default": params.parameter_set("default"),
    "default with a range": params.parameter_set("default", minimum=0.0, maximum=100.0),
    "nupic": narrow("nupic"),
    "nupic-tm": narrow("nupic-tm"),
    "default, predicting": params.parameter_set("default", predict=(1, 3)),
    "nupic, predicting": narrow("nupic", predict=(2,)),
}
UNKNOWN_AT_FIRST = ("forecast", "usual_low", "usual_high", "one_in")
every_set = pytest.mark.parametrize("parameters", SETS.values(), ids=SETS.keys())


def series(count, seed=0):
    """A noisy daily season of 5-minute samples with a spike near the end."""
    rng = np.random.default_rng(seed)
    times = 1.4e9 + 300.0 * np.arange(count)
    values = 50.0 + 30.0 * np.sin(times / 86400.0 * 2 * np.pi) + rng.normal(0.0, 2.0, count)
    values[-20:-15] += 60.0
    return times, values


def assert_within_bounds(scores):
    """Scores of samples that had a value: from 0 to 1; what is in the metric's unit, and odds, where they are known."""
    for name, column in scores._asdict().items():
        if name in UNKNOWN_AT_FIRST:
            known = column[~np.isnan(column)]
            assert np.isfinite(known).all(), name
        else:
            assert ((column >= 0.0) & (column <= 1.0)).all(), name
    assert not (scores.usual_low > scores.usual_high).any()
    assert not ((scores.one_in < 1.0) | (scores.one_in > 1e10)).any()


def assert_same(one, other):
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)


@every_set
def test_the_same_samples_give_the_same_scores(parameters):
    times, values = series(300)
    assert_same(Model(parameters).score_series(times, values), Model(parameters).score_series(times, values))


@every_set
def test_a_split_into_calls_changes_no_score(parameters):
    times, values = series(300)
    whole = Model(parameters).score_series(times, values)
    model = Model(parameters)
    one_by_one = [model.score_one(*sample) for sample in zip(times[:50], values[:50], strict=True)]
    rest = model.score_series(times[50:], values[50:])
    for column, found, later in zip(whole, zip(*one_by_one, strict=True), rest, strict=True):
        np.testing.assert_array_equal(column, np.concatenate([found, later]))


@every_set
def test_saved_and_loaded_goes_on_as_if_never_stopped(parameters):
    times, values = series(400)
    whole = Model(parameters).score_series(times, values)
    model = Model(parameters, generation=7)
    for start in (0, 1, 130, 288, 399):
        stop = {0: 1, 1: 130, 130: 288, 288: 399, 399: 400}[start]
        part = model.score_series(times[start:stop], values[start:stop])
        assert_same([column[start:stop] for column in whole], part)
        block = model.save()
        model = Model.load(block)
        assert model.save() == block
        assert (model.rows, model.generation, model.last_timestamp) == (stop, 7, times[stop - 1])
        assert model.parameters == parameters


@every_set
def test_scores_lie_between_0_and_1_and_a_missing_value_scores_nan(parameters):
    times, values = series(200)
    values[[0, 50, 51, 120]] = np.nan
    values[60] = np.inf
    missing = ~np.isfinite(values)
    scores = Model(parameters).score_series(times, values)
    for column in scores:
        assert np.isnan(column[missing]).all()
    assert_within_bounds(SeriesScores(*(column[~missing] for column in scores)))


@every_set
def test_a_missing_sample_leaves_the_later_scores_as_they_were(parameters):
    times, values = series(200)
    keep = np.ones(200, dtype=bool)
    keep[[10, 11, 77]] = False
    without = Model(parameters).score_series(times[keep], values[keep])
    values[~keep] = np.nan
    with_gaps = Model(parameters).score_series(times, values)
    assert_same(without, [column[keep] for column in with_gaps])


@every_set
def test_a_timestamp_that_goes_back_is_refused_and_one_that_repeats_is_not(parameters):
    model = Model(parameters)
    model.score_series([100.0, 100.0, 200.0], [1.0, 2.0, 3.0])
    before = model.save()
    with pytest.raises(OutOfOrderSample, match=r"sample 0: timestamp 199\.000000"):
        model.score_one(199.0, 4.0)
    assert model.save() == before
    with pytest.raises(OutOfOrderSample, match="sample 2"):
        model.score_series([300.0, 400.0, 250.0, 500.0], [1.0, 2.0, 3.0, 4.0])
    assert model.rows == 5
    assert model.last_timestamp == 400.0


@every_set
@pytest.mark.parametrize(
    "values",
    [
        np.zeros(300),
        np.full(300, -1e9),
        np.full(300, 1.7e308),
        np.tile([1.7e308, -1.7e308], 150),
        np.tile([5e-324, 0.0, -5e-324], 100),
        np.cumsum(np.full(300, 5e305)),
    ],
    ids=["zero", "constant", "huge constant", "huge swings", "subnormal", "huge trend"],
)
def test_odd_series_score_between_0_and_1(parameters, values):
    assert_within_bounds(Model(parameters).score_series(np.arange(300.0), values))


@examples(30)
@given(
    samples=st.lists(
        st.tuples(st.floats(-1e12, 1e12), st.floats(allow_nan=True, allow_infinity=True)), max_size=60
    )
)
def test_any_series_of_numbers_is_scored_by_the_default_model(samples):
    times = sorted(time for time, _ in samples)
    values = np.array([value for _, value in samples])
    scores = Model(SETS["default"]).score_series(times, values)
    assert_within_bounds(SeriesScores(*(column[np.isfinite(values)] for column in scores)))


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, n: rng.random(n),
        lambda rng, n: rng.normal(size=n),
        lambda rng, n: np.cumsum(rng.normal(size=n)),
        lambda rng, n: np.sign(rng.normal(size=n)) * 10.0 ** rng.uniform(-300, 300, n),
    ],
    ids=["uniform", "Gaussian", "random walk", "all magnitudes"],
)
def test_a_default_model_takes_at_most_64_kib(draw):
    values = draw(np.random.default_rng(0), 6000)
    model = Model(SETS["default"])
    sizes = []
    for start in range(0, 6000, 100):
        model.score_series(60.0 * np.arange(start, start + 100), values[start : start + 100])
        sizes.append(len(model.save()))
    assert max(sizes) < 64 * 1024


def test_a_constant_series_is_calm_for_the_default_model():
    scores = Model(SETS["default"]).score_series(60.0 * np.arange(2000.0), np.full(2000, 3.0))
    assert scores.log_score[50:].max() < 0.5


def test_an_invalid_series_gets_a_clear_error():
    model = Model(SETS["default"])
    with pytest.raises(ValueError, match=r"of shapes \(2,\) and \(3,\)"):
        model.score_series([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="sample 1: timestamp nan"):
        model.score_series([1.0, math.nan], [1.0, 2.0])
    assert model.rows == 0


@pytest.mark.parametrize("unit", ["D", "s", "ms", "us", "ns"])
def test_times_of_numpy_count_as_seconds_whatever_their_unit(unit):
    days = np.datetime64("1969-12-25", unit) + np.arange(20).astype("timedelta64[D]")
    seconds = 86400.0 * np.arange(-7, 13)
    values = np.arange(20) % 5
    model, same = Model(SETS["nupic"]), Model(SETS["nupic"])
    assert_same(model.score_series(days, values), same.score_series(seconds, values))
    assert model.save() == same.save()
    assert_same(model.score_one(np.datetime64("1970-03-01", unit), 1.0), same.score_one(59 * 86400.0, 1.0))
    pool = Pool()
    pool.add("m", model)
    pool.score(["m"], np.array(["1970-03-01T00:00:00.250"], "datetime64[ms]"), [1.0])
    assert model.last_timestamp == 59 * 86400.0 + 0.25


@examples(30)
@given(moments=st.lists(st.datetimes(timezones=st.none() | st.timezones()), min_size=1, max_size=5))
def test_datetimes_count_as_seconds_in_utc_if_they_have_no_zone(moments):
    def in_utc(moment):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    moments.sort(key=in_utc)
    model = Model(SETS["default"])
    model.score_series(moments, np.zeros(len(moments)))
    assert model.last_timestamp == in_utc(moments[-1])
    model.score_one(moments[-1], 0.0)
    assert model.rows == len(moments) + 1


def test_values_that_are_not_times_are_refused():
    model = Model(SETS["default"])
    with pytest.raises(ValueError, match="sample 1: timestamp nan"):
        model.score_series(np.array(["2014-07-01", "NaT"], "datetime64[s]"), [1.0, 2.0])
    with pytest.raises(TypeError, match="datetime or datetime64, not timedelta64"):
        model.score_series(np.arange(3).astype("timedelta64[s]"), [1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="datetime or datetime64, not NoneType"):
        model.score_series([datetime(2014, 7, 1), None], [1.0, 2.0])
    assert model.rows == 0


@pytest.mark.parametrize("name", params.NAMES)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed -1 is not within"),
        ({"seed": 2**64}, "seed 18446744073709551616 is not within"),
        ({"predict": (1, -1)}, "steps"),
        ({"predict": (2**40,)}, "steps"),
        ({"maximum": math.inf}, "finite"),
    ],
)
def test_parameters_out_of_range_are_refused_as_such(name, options, message):
    with pytest.raises(ValueError, match=message):
        Model(params.parameter_set(name, **{"minimum": 0.0, "maximum": 1.0} | options))


def test_a_parameter_that_no_kernel_holds_is_named():
    default = params.parameter_set("default")
    memory = msgspec.structs.replace(default.memory, columns=2**40)
    with pytest.raises(ValueError, match="columns=1099511627776"):
        Model(msgspec.structs.replace(default, memory=memory))
    likelihood = msgspec.structs.replace(default.jump_likelihood, refit=-1)
    with pytest.raises(ValueError, match="refit=-1"):
        Model(msgspec.structs.replace(default, jump_likelihood=likelihood))


@pytest.mark.parametrize("generation", [-1, 2**32])
def test_a_generation_that_no_block_holds_is_refused(generation):
    with pytest.raises(ValueError, match="generation"):
        Model(SETS["default"], generation=generation)


@every_set
def test_a_damaged_block_is_refused(parameters):
    model = Model(parameters)
    model.score_series(*series(40))
    block = model.save()
    rng = np.random.default_rng(0)
    for place in [*range(60), *rng.integers(60, len(block), 60)]:
        damaged = bytearray(block)
        damaged[place] ^= 1 << rng.integers(0, 8)
        with pytest.raises(UnreadableModel):
            Model.load(bytes(damaged))
    for size in (0, 10, 60, len(block) // 2, len(block) - 1):
        with pytest.raises(UnreadableModel):
            Model.load(block[:size])
    with pytest.raises(UnreadableModel, match="bytes where"):
        Model.load(block + b"\0")
    with pytest.raises(UnreadableModel, match="layout 1;"):
        Model.load(block[:4] + struct.pack("<I", 1) + block[8:])


def with_state(block, change):
    """Return a block whose state was changed, with the checksum of what it holds now."""
    *fields, _ = _HEADER.unpack_from(block)
    body = bytearray(block[_HEADER.size :])
    state = body[fields[5] :]
    change(state)
    body[fields[5] :] = state
    return _HEADER.pack(*fields, zlib.crc32(body, zlib.crc32(_HEADER.pack(*fields, 0)))) + bytes(body)


@every_set
def test_a_block_whose_time_is_infinite_is_refused(parameters):
    model = Model(parameters)
    new = model.save()
    model.score_series(*series(3))
    begun = model.save()

    def with_time(block, before, after):
        def change(state):
            place = state.index(struct.pack("<d", before))
            state[place : place + 8] = struct.pack("<d", after)

        return with_state(block, change)

    for second in (math.inf, -math.inf, math.nan):
        with pytest.raises(UnreadableModel, match="timestamp"):
            Model.load(with_time(begun, model.last_timestamp, second))
    with pytest.raises(UnreadableModel, match=r"timestamp of 0 rows is 5.0"):
        Model.load(with_time(new, -math.inf, 5.0))


@every_set
def test_whatever_state_is_loaded_has_scores_from_0_to_1(parameters):
    """The second line behind the checksum."""
    times, values = series(90)
    model = Model(parameters)
    model.score_series(times[:60], values[:60])
    block = model.save()
    rng = np.random.default_rng(3)
    wild = [struct.pack("<d", x) for x in (math.nan, math.inf, -math.inf, 1e308, -1.0)]
    wild += [struct.pack("<I", x) for x in (0xFFFFFFFF, 0x7FC00000, 0)]
    loaded = 0
    for _ in range(part(400 if len(block) < 100_000 else 30)):
        piece = wild[rng.integers(len(wild))]

        def change(state, piece=piece):
            place = int(rng.integers(0, len(state) - 8))
            state[place : place + len(piece)] = piece

        try:
            damaged = Model.load(with_state(block, change))
        except UnreadableModel:
            continue
        loaded += 1
        try:
            scores = damaged.score_series(times[60:], values[60:])
        except OutOfOrderSample:
            continue
        assert_within_bounds(scores)
    assert loaded


def test_parameters_survive_json_and_a_changed_one_changes_the_digest():
    for parameters in SETS.values():
        assert params.from_json(parameters.to_json()) == parameters
    digests = {parameters.digest() for parameters in SETS.values()}
    assert len(digests) == len(SETS)
    assert msgspec.structs.replace(SETS["default"], channels=("jump",)).digest() not in digests


def test_another_seed_gives_other_scores():
    times, values = series(600)
    one = Model(params.parameter_set("default", seed=1)).score_series(times, values)
    other = Model(params.parameter_set("default", seed=2)).score_series(times, values)
    assert (one.raw_anomaly_score != other.raw_anomaly_score).any()


def pool_of(count):
    pool = Pool()
    for i in range(count):
        pool.add(f"m{i}", Model(params.parameter_set("default")))
    return pool


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_pool_scores_like_its_models_one_by_one_whatever_the_batches_and_threads(threads):
    count, length = 7, 120
    alone = [Model(SETS["default"]).score_series(*series(length, seed=i)) for i in range(count)]
    samples = [
        (f"m{i}", *sample) for i in range(count) for sample in zip(*series(length, seed=i), strict=True)
    ]
    rng = np.random.default_rng(threads)
    samples.sort(key=lambda sample: (sample[1], rng.random()))  # the models take turns at random
    pool = pool_of(count)
    found = {f"m{i}": [] for i in range(count)}
    while samples:
        size = int(rng.integers(1, 400))
        batch, samples = samples[:size], samples[size:]
        keys, times, values = zip(*batch, strict=True)
        found_now = pool.score(keys, times, values, threads=threads)
        assert (found_now.outcomes == SCORED).all()
        assert found_now.predictions is None
        for key, row in zip(keys, zip(*found_now.scores, strict=True), strict=True):
            found[key].append(row)
    for i in range(count):
        np.testing.assert_array_equal(np.array(found[f"m{i}"]), np.stack(alone[i], axis=1))


def test_a_refused_sample_of_a_pool_costs_its_neighbours_nothing():
    pool = pool_of(2)
    scores, outcomes, *_ = pool.score(
        ["m0", "m1", "m0", "m1", "m0"], [10.0, 10.0, 5.0, 11.0, 11.0], [1.0, 1.0, 1.0, math.nan, 2.0]
    )
    assert outcomes.tolist() == [SCORED, SCORED, OUT_OF_ORDER, MISSING, SCORED]
    assert np.isnan(scores.log_score).tolist() == [False, False, True, True, False]
    assert (pool["m0"].rows, pool["m1"].rows) == (2, 2)


def test_a_pool_adds_and_removes_models():
    pool = pool_of(3)
    taken = pool.remove("m1")
    assert "m1" not in pool
    assert sorted(pool) == ["m0", "m2"]
    with pytest.raises(KeyError):
        pool.score(["m0", "m1"], [1.0, 1.0], [1.0, 1.0])
    assert pool["m0"].rows == 0
    pool.add("again", taken)
    pool.score(["again"], [1.0], [1.0])
    assert taken.rows == 1
    with pytest.raises(ValueError, match="'again': the pool has a model"):
        pool.add("again", taken)
    with pytest.raises(ValueError, match="1 keys for 2 samples"):
        pool.score(["m0"], [1.0, 2.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="threads is 0"):
        pool.score(["m0"], [1.0], [1.0], threads=0)


def test_a_model_is_in_a_pool_once():
    # Two threads would score it side by side.
    pool = pool_of(2)
    with pytest.raises(ValueError, match="'alias': this model is in the pool as 'm1'"):
        pool.add("alias", pool["m1"])
    pool.add("alias", pool.remove("m1"))
    assert sorted(pool) == ["alias", "m0"]


@pytest.mark.parametrize("name", ["default", "nupic", "nupic-tm"])
def test_predictions_change_no_score_and_are_the_same_however_the_model_is_called(name):
    plain = params.parameter_set(name, minimum=0.0, maximum=100.0)
    predicting = params.parameter_set(name, minimum=0.0, maximum=100.0, predict=(5, 1))
    times, values = series(200)
    values[[0, 50]] = math.nan
    scores, predictions = Model(predicting).score_and_predict(times, values)
    assert_same(scores, Model(plain).score_series(times, values))
    assert sorted(predictions) == [1, 5]
    for predicted in predictions.values():
        assert (np.isnan(predicted) == np.isnan(values)).all()
        assert np.nanmin(predicted) >= np.nanmin(values)
        assert np.nanmax(predicted) <= np.nanmax(values)

    pool = Pool()
    pool.add("predicting", Model(predicting))
    pool.add("plain", Model(plain))
    batches = []
    for i in range(200):
        if i == 100:
            pool.add("predicting", Model.load(pool.remove("predicting").save()))
        batch = pool.score(["plain", "predicting"], [times[i]] * 2, [values[i]] * 2)
        assert batch.predictions[0] is None
        batches.append(batch.predictions[1])
    assert [i for i, found in enumerate(batches) if found is None] == [0, 50]
    for step in (1, 5):
        found = [math.nan if batch is None else batch[step] for batch in batches]
        np.testing.assert_array_equal(found, predictions[step])


def test_a_steady_season_is_predicted_by_the_default_model():
    times = 300.0 * np.arange(3000)
    values = np.array([10.0, 20.0, 30.0, 40.0, 50.0, 60.0])[np.arange(3000) % 6]
    _, predictions = Model(params.parameter_set("default", predict=(1, 2))).score_and_predict(times, values)
    for step, predicted in predictions.items():
        assert np.abs(predicted[2000:-step] - values[2000 + step :]).mean() < 1.0


def test_without_a_classifier_there_are_no_predictions():
    assert Model(SETS["default"]).score_and_predict(*series(5))[1] == {}


@pytest.mark.parametrize(
    "timestamp", ["2024-01-01", "1", b"1", np.str_("1"), 1j, None, {}, np.timedelta64(1, "s")], ids=repr
)
def test_what_is_not_a_time_raises_a_type_error(timestamp):
    model = Model(SETS["default"])
    with pytest.raises(
        TypeError, match="timestamps must be seconds since the epoch, datetime or datetime64, not"
    ):
        model.score_one(timestamp, 1.0)
    with pytest.raises(TypeError, match="timestamps must be"):
        model.score_series(np.array([timestamp], dtype=object), [1.0])
    assert model.rows == 0


@pytest.mark.parametrize("timestamp", [10**400, -(10**400), float("inf"), Decimal("1e400")])
def test_a_time_beyond_all_numbers_is_not_finite(timestamp):
    model = Model(SETS["default"])
    with pytest.raises(ValueError, match="is not a number of seconds"):
        model.score_one(timestamp, 1.0)
    assert model.rows == 0


@pytest.mark.parametrize(
    "value", ["1", b"1", np.str_("1"), "٣", 1j, {}, np.datetime64("2024-01-01")], ids=repr
)
def test_a_value_that_is_not_a_number_raises_a_type_error(value):
    model, pool = Model(SETS["default"]), Pool()
    pool.add("m", model)
    for score in (model.score_one, lambda time, one: pool.score(["m"], [time], [one])):
        with pytest.raises(TypeError, match="real number"):
            score(0.0, value)
    with pytest.raises(TypeError, match="real number"):
        model.score_series([0.0], np.array([value], dtype=object))
    assert model.rows == 0


@pytest.mark.parametrize("sign", [1, -1])
def test_an_integer_beyond_all_numbers_counts_as_the_farthest_value(sign):
    model, same = Model(SETS["default"]), Model(SETS["default"])
    model.score_one(0.0, sign * 10**400)
    same.score_one(0.0, sign * 1e300)
    assert model.save() == same.save()


def test_numbers_of_all_sorts_are_values():
    model, same = Model(SETS["default"]), Model(SETS["default"])
    model.score_series(range(6), [Decimal(3), Fraction(1, 4), True, np.float32(2), None, 2**70])
    same.score_series(np.arange(6.0), [3.0, 0.25, 1.0, 2.0, math.nan, 2.0**70])
    assert model.save() == same.save()
