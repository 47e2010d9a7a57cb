"""The encoders of values agree with their naive twins, and with encodings recorded from the original."""

import csv
import json
import math
import random
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from htmengine.htm.nupic.encoders import (
    AdaptiveScalarEncoder,
    DateEncoder,
    DeltaEncoder,
    MultiEncoder,
    RandomDistributedScalarEncoder,
    ScalarEncoder,
)
from tests.reference import encoders as naive
from tests.reference.golden import golden
from tests.support.examples import examples

few = examples(50)
odd = st.integers(0, 12).map(lambda half: 2 * half + 1)
values = st.one_of(
    st.floats(-100, 100), st.integers(-20, 20).map(lambda half: half / 2), st.just(float("nan"))
)
largest = 1.7976931348623157e308


def listed(encoding):
    bits, bucket = encoding
    return [int(bit) for bit in bits], bucket


def encode_all(encoder, values):
    return [listed(encoder.encode_with_bucket(value)) for value in values]


def encode_all_naively(twin, values):
    return [twin.encode(value) for value in values]


def stateful_encoders():
    return [
        RandomDistributedScalarEncoder(0.7),
        AdaptiveScalarEncoder(w=5, n=60),
        DeltaEncoder(w=5, n=60),
        MultiEncoder(
            {"time": DateEncoder(time_of_day=(5, 4.0)), "value": RandomDistributedScalarEncoder(0.7)}
        ),
    ]


def encode_any(encoder, value):
    return list(encoder.encode(0.0, value) if isinstance(encoder, MultiEncoder) else encoder.encode(value))


# ---- random distributed scalar encoder


@given(
    resolution=st.floats(0.3, 5.0),
    w=st.sampled_from([1, 3, 5, 9]),
    spare=st.integers(1, 60),
    seed=st.integers(1, 2**32 - 2),
    offset=st.one_of(st.none(), st.floats(-5, 5)),
    values=st.lists(st.floats(-20, 20), max_size=15),
)
@example(
    resolution=0.3, w=9, spare=1, seed=209369, offset=None, values=[18.0, -11.0]
)  # no bit is left at times
@examples(30)
def test_random_distributed_encoding_agrees_with_the_naive_twin(resolution, w, spare, seed, offset, values):
    parameters = {"w": w, "n": 6 * w + spare, "seed": seed, "offset": offset}
    encoder = RandomDistributedScalarEncoder(resolution, **parameters)
    twin = naive.RandomDistributedScalarEncoder(resolution, **parameters)
    assert encode_all(encoder, values) == encode_all_naively(twin, values)
    assert {bucket: encoder.slots(bucket).tolist() for bucket in encoder.buckets} == twin.buckets


@given(buckets=st.lists(st.integers(0, 999), min_size=1, max_size=6))
@examples(20)
def test_buckets_share_bits_by_their_distance(buckets):
    encoder = RandomDistributedScalarEncoder(1.0, offset=500.0)
    for bucket in buckets:
        encoder.encode(float(bucket))
    for first in buckets:
        for second in buckets:
            shared = len(set(encoder.slots(first)) & set(encoder.slots(second)))
            distance = abs(first - second)
            assert shared == 21 - distance if distance < 21 else shared <= 2


def test_a_jump_across_all_buckets_fills_a_crowded_encoder():
    encoder = RandomDistributedScalarEncoder(1.0, w=21, n=127, offset=0.0)
    encoder.encode(1e9)
    encoder.encode(-1e9)
    assert encoder.buckets == range(1000)
    assert all(len(set(encoder.slots(bucket))) == 21 for bucket in encoder.buckets)


@pytest.mark.parametrize("value", [largest, -largest])
def test_the_farthest_values_fall_into_the_outermost_buckets(value):
    encoder = RandomDistributedScalarEncoder(1e-300, offset=-value)
    assert encoder.encode_with_bucket(value)[1] == (999 if value > 0 else 0)


def test_a_bucket_without_bits_is_no_bucket():
    with pytest.raises(IndexError):
        RandomDistributedScalarEncoder(1.0).slots(501)


@pytest.mark.parametrize(
    "wrong",
    [
        {"resolution": 0.0},
        {"resolution": math.nan},
        {"w": 20},
        {"w": 0},
        {"w": -1},
        {"n": 126},
        {"n": 2**20},
        {"seed": 0},
        {"offset": math.inf},
    ],
)
def test_random_distributed_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RandomDistributedScalarEncoder(**{"resolution": 1.0, **wrong})


# ---- scalar encoder


@given(
    w=odd,
    minimum=st.floats(-50, 50),
    span=st.floats(0.1, 200),
    size=st.sampled_from(["n", "radius", "resolution"]),
    scale=st.floats(0.05, 1.0),
    periodic=st.booleans(),
    fractions=st.lists(st.floats(0, 1, exclude_max=True), max_size=20),
)
@few
def test_scalar_encoding_agrees_with_the_naive_twin(w, minimum, span, size, scale, periodic, fractions):
    maximum = minimum + span
    amount = {"n": w + round(100 * scale), "radius": span * scale, "resolution": span * scale / w}[size]
    parameters = {"w": w, size: amount, "periodic": periodic}
    encoder = ScalarEncoder(minimum, maximum, **parameters)
    twin = naive.ScalarEncoder(minimum, maximum, **parameters)
    inside = [value for value in (minimum + span * f for f in fractions) if value < maximum]
    assert encode_all(encoder, inside) == encode_all_naively(twin, inside)
    assert encoder.width == twin.n


@given(value=st.floats(allow_nan=False, allow_infinity=False))
@few
def test_a_clipping_encoder_encodes_every_number(value):
    encoder = ScalarEncoder(-1.0, 3.0, w=5, n=50, clip=True)
    assert encoder.encode(value).tolist() == encoder.encode(min(max(value, -1.0), 3.0)).tolist()


@pytest.mark.parametrize(("periodic", "value"), [(False, -0.1), (False, 8.1), (True, -0.1), (True, 8.0)])
def test_a_value_outside_the_range_is_refused(periodic, value):
    encoder = ScalarEncoder(0.0, 8.0, w=3, n=16, periodic=periodic)
    with pytest.raises(ValueError, match="outside the range"):
        encoder.encode(value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": None}, "exactly one"),
        ({"radius": 1.0}, "exactly one"),
        ({"minimum": 8.0}, "minimum"),
        ({"maximum": math.inf}, "minimum"),
        ({"w": 4}, "w is 4"),
        ({"n": 3}, "too few bits"),
        ({"n": 100_000}, "n is 100000"),
        ({"n": None, "radius": 0.0}, "radius"),
        ({"n": None, "resolution": math.nan}, "resolution"),
        ({"n": None, "resolution": 1e-9}, "resolution"),
        ({"periodic": True, "clip": True}, "clip"),
        ({"minimum": 0.0, "maximum": 5e-324}, "too small"),
    ],
)
def test_scalar_parameters_out_of_range_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        ScalarEncoder(**{"minimum": 0.0, "maximum": 8.0, "w": 3, "n": 16, **wrong})


# ---- adaptive and delta encoders


@given(
    make=st.sampled_from(["AdaptiveScalarEncoder", "DeltaEncoder"]),
    w=odd,
    spare=st.integers(1, 100),
    bounds=st.one_of(st.just((None, None)), st.tuples(st.floats(-50, 0), st.floats(1, 50))),
    values=st.lists(values, max_size=40),
)
@few
def test_adaptive_and_delta_encoding_agree_with_the_naive_twins(make, w, spare, bounds, values):
    parameters = {"w": w, "n": w + spare, "minimum": bounds[0], "maximum": bounds[1]}
    encoder = {"AdaptiveScalarEncoder": AdaptiveScalarEncoder, "DeltaEncoder": DeltaEncoder}[make](
        **parameters
    )
    twin = getattr(naive, make)(**parameters)
    assert encode_all(encoder, values) == encode_all_naively(twin, values)


@given(seed=st.integers(0, 2**32 - 1))
@examples(10)
def test_the_sorted_window_of_the_original_changes_nothing(seed):
    rng = random.Random(seed)
    values = [rng.gauss(0, 1 + i / 100) for i in range(700)]
    encoder, twin = AdaptiveScalarEncoder(w=21, n=400), naive.AdaptiveScalarEncoder(21, 400)
    assert encode_all(encoder, values) == encode_all_naively(twin, values)


@pytest.mark.parametrize("make", [AdaptiveScalarEncoder, DeltaEncoder])
@given(values=st.lists(st.floats(), max_size=20))
@few
def test_an_adaptive_encoder_encodes_every_number(make, values):
    encoder = make(w=5, n=50)
    for value in values:
        bits = encoder.encode(value).tolist()
        assert len(bits) == (5 if math.isfinite(value) else 0)
        assert bits == sorted(set(bits))
        assert all(bit < 50 for bit in bits)


@pytest.mark.parametrize("make", [AdaptiveScalarEncoder, DeltaEncoder])
@pytest.mark.parametrize("wrong", [{"n": 21}, {"w": 2}, {"minimum": 1.0}, {"minimum": 2.0, "maximum": 1.0}])
def test_adaptive_parameters_out_of_range_are_refused(make, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        make(**wrong)


# ---- all encoders of values


@pytest.mark.parametrize("i", range(4))
@pytest.mark.parametrize("missing", [math.nan, math.inf, -math.inf])
@given(values=st.lists(st.floats(-30, 30), max_size=5))
@examples(10)
def test_a_missing_value_has_no_bits_and_changes_no_state(i, missing, values):
    encoder = stateful_encoders()[i]
    for value in values:
        encode_any(encoder, value)
    before = encoder.save_state()
    bits = encode_any(encoder, missing)
    assert bits == (encode_any(encoder, missing) if isinstance(encoder, MultiEncoder) else [])
    assert encoder.save_state() == before


@pytest.mark.parametrize("i", range(4))
@given(before=st.lists(st.floats(-30, 30), max_size=8), after=st.lists(st.floats(-60, 60), max_size=8))
@examples(15)
def test_a_restored_encoder_continues_where_the_saved_one_was(i, before, after):
    saved, restored = stateful_encoders()[i], stateful_encoders()[i]
    for value in before:
        encode_any(saved, value)
    restored.restore_state(saved.save_state())
    assert restored.save_state() == saved.save_state()
    assert [encode_any(restored, value) for value in after] == [encode_any(saved, value) for value in after]


@pytest.mark.parametrize("i", range(4))
@given(data=st.data())
@few
def test_no_bytes_break_an_encoder(i, data):
    encoder = stateful_encoders()[i]
    for value in (1.0, 30.0, -4.0):
        encode_any(encoder, value)
    state = bytearray(encoder.save_state())
    for _ in range(data.draw(st.integers(1, 4))):
        state[data.draw(st.integers(0, len(state) - 1))] = data.draw(st.integers(0, 255))
    try:
        encoder.restore_state(bytes(state))
    except ValueError:
        assert len(encode_any(encoder, 2.0)) >= 5
        return
    bits = encode_any(encoder, 2.0)
    assert bits == sorted(set(bits))
    assert all(bit < encoder.width for bit in bits)


# ---- multi encoder


def test_fields_lie_side_by_side_in_the_order_given():
    encoder = MultiEncoder(
        {"value": ScalarEncoder(0.0, 10.0, w=3, n=13), "time": DateEncoder(time_of_day=(3, 8.0))}
    )
    assert encoder.first_bits == {"value": 0, "time": 13}
    assert encoder.width == 22
    assert encoder.encode(12 * 3600.0, 10.0).tolist() == [10, 11, 12, 16, 17, 18]


def test_the_bucket_is_that_of_the_first_encoder_of_values():
    encoder = MultiEncoder(
        {
            "time": DateEncoder(time_of_day=3),
            "value": RandomDistributedScalarEncoder(1.0),
            "change": DeltaEncoder(w=3, n=30),
        }
    )
    assert [encoder.encode_with_bucket(0.0, value)[1] for value in (5.0, 8.0, math.nan)] == [500, 503, None]
    assert MultiEncoder({"time": DateEncoder(time_of_day=3)}).encode_with_bucket(0.0, 1.0)[1] is None


def test_a_value_outside_the_range_of_a_field_counts_as_missing():
    encoder = MultiEncoder({"value": ScalarEncoder(0.0, 10.0, w=3, n=13), "change": DeltaEncoder(w=3, n=30)})
    assert encoder.encode(0.0, 11.0).tolist() == [13, 14, 15]


def test_fields_are_copies():
    value = RandomDistributedScalarEncoder(1.0)
    encoder = MultiEncoder({"value": value})
    encoder.encode(0.0, 5.0)
    assert value.offset is None


def test_a_multi_encoder_without_fields_is_refused():
    with pytest.raises(ValueError, match="at least one field"):
        MultiEncoder({})


# ---- recorded from the original


@pytest.mark.golden
@pytest.mark.parametrize("case", range(5))
def test_random_distributed_encodings_are_those_of_the_original(case):
    expected = json.loads(golden("rdse.json").read_text())[case]
    encoder = RandomDistributedScalarEncoder(**expected["params"])
    for value, bucket, bits in expected["rows"]:
        assert listed(encoder.encode_with_bucket(value)) == (bits, bucket)
    assert encoder.offset == expected["offset"]
    assert encoder.buckets == range(expected["minIndex"], expected["maxIndex"] + 1)
    assert {str(b): encoder.slots(b).tolist() for b in encoder.buckets} == expected["bucketMap"]


scalar_cases = {
    "scalar w21 min0 max100 n400 clip": lambda: ScalarEncoder(0, 100, w=21, n=400, clip=True),
    "scalar w5 min0 max10 resolution0.5": lambda: ScalarEncoder(0, 10, w=5, resolution=0.5),
    "scalar w3 periodic 1..8 n14": lambda: ScalarEncoder(1, 8, w=3, n=14, periodic=True),
    "scalar w7 min0 max1 radius1": lambda: ScalarEncoder(0, 1, w=7, radius=1),
    "adaptive w21 n400 minmax None": lambda: AdaptiveScalarEncoder(w=21, n=400),
    "adaptive w21 n400 min20 max60": lambda: AdaptiveScalarEncoder(w=21, n=400, minimum=20, maximum=60),
    "delta w21 n400 minmax None": lambda: DeltaEncoder(w=21, n=400),
}


@pytest.mark.golden
@pytest.mark.parametrize("name", scalar_cases)
def test_scalar_encodings_are_those_of_the_original(name):
    cases = {case["name"]: case for case in json.loads(golden("scalar.json").read_text())}
    assert cases.keys() == scalar_cases.keys()
    encoder = scalar_cases[name]()
    assert encoder.width == cases[name]["n"]
    for value, bits in cases[name]["rows"]:
        assert encoder.encode(value).tolist() == bits


@pytest.mark.golden
def test_nab_encodings_are_those_of_the_original():
    lines = golden("nab_encoding_nyc_taxi.csv").read_text().splitlines()
    encoder = MultiEncoder(
        {
            "timestamp_timeOfDay": DateEncoder(time_of_day=(21, 9.49)),
            "value": RandomDistributedScalarEncoder(422.03538461538466),
        }
    )
    assert encoder.width == 454
    rows = list(csv.DictReader(lines[1:]))
    assert len(rows) == 400
    for row in rows:
        timestamp = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC).timestamp()
        bits = encoder.encode(timestamp, float(row["value"]))
        assert bits.tolist() == [int(bit) for bit in row["active_bits"].split()]
