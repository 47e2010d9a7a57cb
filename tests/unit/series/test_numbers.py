import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.series import numbers


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_exactly(value):
    assert numbers.POINT.parse(repr(value)) == value


@given(st.decimals(-(10**9), 10**9, places=2))
@pytest.mark.parametrize("group", ["", ".", " ", "'", "\u00a0"])
def test_a_number_with_decimal_comma_reads_back(group, value):
    text = f"{value:,.2f}".replace(",", "g").replace(".", ",").replace("g", group)
    assert numbers.COMMA.parse(text) == float(value)


@pytest.mark.parametrize(
    ("written", "text", "expected"),
    [
        (numbers.POINT, "12.5%", 12.5),
        (numbers.POINT, "1,200 %", 1200.0),
        (numbers.COMMA, "-0,5 %", -0.5),
        (numbers.POINT, "1e-3%", 0.001),
        (numbers.COMMA, "1,5E-05", 1.5e-5),
        (numbers.POINT, "(1,234.5)", -1234.5),
        (numbers.COMMA, "(0,4)", -0.4),
        (numbers.POINT, "(5 %)", -5.0),
    ],
)
def test_a_percentage_counts_in_percent_and_a_decimal_comma_may_have_an_exponent(written, text, expected):
    assert written.parse(text) == expected


@pytest.mark.parametrize("text", ["", "-", "NaN", "nan", "NULL", "null", "NA", "n/a", "None"])
@pytest.mark.parametrize("written", [numbers.POINT, numbers.COMMA])
def test_a_missing_value_is_nan(written, text):
    assert math.isnan(written.parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "inf",
        "-Infinity",
        "1e999",
        "12 apples",
        "1,23,4",
        "0x10",
        "(-5)",
        "((5))",
        "(5",
        "()",
        "(na)",
        "\x00",
        "5\x00",
        "1.2.3",
        "%",
        "na%",
        "5%%",
        "٣",
        "１",
        "1_0",
        "1_0%",
    ],
)
@pytest.mark.parametrize("written", [numbers.POINT, numbers.COMMA])
def test_what_is_no_finite_number_is_refused(written, text):
    with pytest.raises(ValueError, match="not a"):
        written.parse(text)


@pytest.mark.parametrize(
    ("cells", "delimiter", "expected"),
    [
        (["1.5", "2"], ",", "."),
        (["1,234.5", "17"], ",", "."),
        (["1.234,5", "17"], ";", ","),
        (["0,5"], "\t", ","),
        (["1,234"], ";", ","),
        (["1,234"], ",", "."),
        (["1.234"], ";", "."),
    ],
)
def test_the_decimal_mark_follows_from_the_column(cells, delimiter, expected):
    assert numbers.detect(cells, delimiter=delimiter).decimal == expected
