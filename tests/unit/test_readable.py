import pytest

from htmengine import readable


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1.0, "1 in 1"),
        (10.4, "1 in 10"),
        (12_345.6, "1 in 12,000"),
        (3_162_277.0, "1 in 3.2 million"),
        (1e10, "1 in 10 billion"),
        (float("nan"), "-"),
    ],
)
def test_how_rare_a_row_is(count, text):
    assert readable.one_in(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1234567.8, "1,234,568"),
        (-0.5, "-0.5"),
        (1 / 3, "0.333333"),
        (1e-9, "1e-09"),
        (1e20, "1e+20"),
    ],
)
def test_numbers_have_six_digits_and_no_needless_exponent(value, text):
    assert readable.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "-"), (0.25, "0.25 s"), (60, "1 min"), (3900, "1 h 5 min"), (86400, "1 d"), (90061, "1 d 1 h")],
)
def test_durations_have_two_units_at_most(seconds, text):
    assert readable.duration(seconds) == text
