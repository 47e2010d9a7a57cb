"""Exponential, logarithm and complementary error function, operation by operation as the compiled ones.

Python's floats are IEEE 754 doubles, and math.frexp and math.ldexp only move exponents, so every line below has
the same value on every machine.
"""

import math

LN2_UPPER = float.fromhex("0x1.62e42fee00000p-1")
LN2_LOWER = float.fromhex("0x1.a39ef35793c76p-33")
INVERSE_LN2 = float.fromhex("0x1.71547652b82fep+0")
SQRT_HALF = float.fromhex("0x1.6a09e667f3bcdp-1")

ERFC_COEFFICIENTS = [
    0.5770337386164697,
    0.3554369212704985,
    0.06509515882878653,
    0.003671142395836639,
    -0.0011128447433526325,
    -0.0001607582991537808,
    3.278031574173137e-05,
    5.442441645505016e-06,
    -1.5154665553171482e-06,
    -1.4297608181169865e-07,
    8.234608827419493e-08,
    -1.2962846852306563e-09,
    -4.154721631015199e-09,
    6.347058278362811e-10,
    1.4320822712256225e-10,
    -6.160390105204585e-11,
    2.0612138554721698e-12,
    3.5714931488477042e-12,
    -8.586422843251796e-13,
    -6.14560021379063e-14,
    7.418725748596617e-14,
    -1.2895042755032325e-14,
    -2.358726385710632e-15,
    1.5729349381685912e-15,
    -2.2782966239546465e-16,
    -6.31233045075643e-17,
    3.5916763531814925e-17,
    -5.049809149847729e-18,
    -1.5324541113154899e-18,
    8.90334528899061e-19,
    -1.4031007385132944e-19,
]


def exp(x):
    """Return e^x."""
    if math.isnan(x):
        return math.nan
    if x > 709.782712893384:
        return math.inf
    if x < -745.1332191019412:
        return 0.0
    scaled = x * INVERSE_LN2
    k = int(scaled - 0.5) if scaled < 0 else int(scaled + 0.5)
    upper = x - k * LN2_UPPER
    lower = k * LN2_LOWER
    r = upper - lower
    r_error = (upper - r) - lower
    series = 0.0
    for n in range(13, 1, -1):
        series = series * r + 1 / math.factorial(n)
    mantissa = 1.0 + (r + (r_error + r * r * series))
    half = int(k / 2)
    return mantissa * math.ldexp(1.0, half) * math.ldexp(1.0, k - half)


def log(x):
    """Return the natural logarithm of x."""
    if math.isnan(x) or x < 0:
        return math.nan
    if x == 0:
        return -math.inf
    if math.isinf(x):
        return math.inf
    m, exponent = math.frexp(x)
    if m < SQRT_HALF:
        m, exponent = m * 2, exponent - 1
    f = m - 1.0
    s = f / (2.0 + f)
    series = 0.0
    for n in range(11, 0, -1):
        series = (series + 2 / (2 * n + 1)) * (s * s)
    half_square = 0.5 * f * f
    correction = half_square - (s * (half_square + series) + exponent * LN2_LOWER)
    return exponent * LN2_UPPER - (correction - f)


def erfc(x):
    """Return 2 / sqrt(pi) times the integral of exp(-t * t) from x to infinity."""
    if math.isnan(x):
        return math.nan
    magnitude = abs(x)
    tail = 0.0
    if magnitude < 28.0:
        t = 2.0 / (2.0 + magnitude)
        u = 2.0 * t - 1.0
        current = previous = 0.0
        for coefficient in ERFC_COEFFICIENTS[:0:-1]:
            current, previous = 2.0 * u * current - previous + coefficient, current
        scaled = u * current - previous + ERFC_COEFFICIENTS[0]
        mantissa, exponent = math.frexp(magnitude)
        upper = math.ldexp(int(mantissa * 2**26), exponent - 26)
        rest = (magnitude - upper) * (magnitude + upper)
        tail = exp(-upper * upper) * (exp(-rest) * (t * scaled))
    return 2.0 - tail if x < 0 else tail
