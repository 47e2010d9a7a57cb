"""The compiled functions agree with the twin bit for bit, and with arbitrary precision closely enough."""

import math
import struct

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.htm import _kernels
from tests.reference import portable_math as twin
from tests.support.examples import examples

FUNCTIONS = {
    "exp": (_kernels.portable_exp, twin.exp, mpmath.exp),
    "log": (_kernels.portable_log, twin.log, mpmath.log),
    "erfc": (_kernels.portable_erfc, twin.erfc, mpmath.erfc),
}
EDGES = [
    *(
        0.0,
        -0.0,
        math.inf,
        -math.inf,
        math.nan,
        5e-324,
        -5e-324,
        2.2250738585072014e-308,
        2.225073858507201e-308,
    ),
    *(1.7976931348623157e308, -1.7976931348623157e308, 1.0, math.nextafter(1.0, 0), math.nextafter(1.0, 2)),
    *(709.782712893384, math.nextafter(709.782712893384, 710), -708.4, -745.1332191019412, -745.133219101942),
    *(0.7071067811865475, 0.7071067811865476, 26.5, 27.2, 27.3, 28.0, -6.0, -28.0, 1e-300, -1e-20),
]


def bits(x):
    """Return the eight bytes of x, or one name for every NaN."""
    return "NaN" if math.isnan(x) else struct.pack("<d", x)


def ulps(found, exact):
    """Return the error in units in the last place of the exact value."""
    return abs(float((mpmath.mpf(found) - exact) / math.ulp(float(exact))))


def seeded(name, low, high, count=3000):
    """Return reproducible random numbers in [low, high)."""
    return np.random.default_rng(list(name.encode())).uniform(low, high, count).tolist()


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("x", EDGES)
def test_edge_cases_agree_with_the_twin_bit_for_bit(name, x):
    kernel, naive, _ = FUNCTIONS[name]
    assert bits(kernel(x)) == bits(naive(x))


@pytest.mark.parametrize("name", FUNCTIONS)
@examples(1000)
@given(x=st.floats() | st.floats(-30, 30) | st.floats(0.5, 2))
def test_kernels_agree_with_the_twin_bit_for_bit(name, x):
    kernel, naive, _ = FUNCTIONS[name]
    assert bits(kernel(x)) == bits(naive(x))


def test_exp_is_within_one_unit_in_the_last_place():
    for x in seeded("exp", -708, 709.7) + seeded("near 0", -1, 1):
        assert ulps(_kernels.portable_exp(x), mpmath.exp(mpmath.mpf(x))) <= 1


def test_log_is_within_one_unit_in_the_last_place():
    magnitudes = [
        math.ldexp(1 + x, int(e)) for x, e in zip(seeded("m", 0, 1), seeded("e", -1060, 1023), strict=True)
    ]
    with mpmath.workdps(40):
        for x in magnitudes + seeded("near 1", 0.5, 2):
            assert ulps(_kernels.portable_log(x), mpmath.log(mpmath.mpf(x))) <= 1


@pytest.mark.parametrize(("low", "high"), [(-6, 0), (0, 5), (5, 26.5)])
def test_erfc_has_a_relative_error_below_1e_15(low, high):
    with mpmath.workdps(40):
        for x in seeded("erfc", low, high):
            exact = mpmath.erfc(mpmath.mpf(x))
            assert abs(mpmath.mpf(_kernels.portable_erfc(x)) - exact) <= 1e-15 * exact


def test_subnormal_results_are_right_to_a_few_smallest_doubles():
    for x in seeded("exp", -745, -709, 300):
        assert abs(_kernels.portable_exp(x) - float(mpmath.exp(mpmath.mpf(x)))) <= 5e-324
    for x in seeded("erfc", 26.55, 27.3, 300):
        assert abs(_kernels.portable_erfc(x) - float(mpmath.erfc(mpmath.mpf(x)))) <= 4 * 5e-324


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        *(("exp", 0.0, 1.0), ("exp", 710.0, math.inf), ("exp", -746.0, 0.0), ("exp", -math.inf, 0.0)),
        *(("exp", math.inf, math.inf), ("exp", math.nan, math.nan)),
        *(("log", 1.0, 0.0), ("log", 0.0, -math.inf), ("log", -0.0, -math.inf), ("log", math.inf, math.inf)),
        *(("log", -1.0, math.nan), ("log", math.nan, math.nan)),
        *(("erfc", math.inf, 0.0), ("erfc", -math.inf, 2.0), ("erfc", 28.0, 0.0), ("erfc", -7.0, 2.0)),
        *(("erfc", math.nan, math.nan), ("erfc", 5e-324, 1.0)),
    ],
)
def test_limits_are_what_the_header_says(name, x, expected):
    assert bits(FUNCTIONS[name][0](x)) == bits(expected)
