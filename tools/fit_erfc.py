"""Print the Chebyshev coefficients with which portable_math.cpp computes the complementary error function.

With t = 2 / (2 + x), the function f(t) = erfc(x) * exp(x * x) / t is smooth on the whole of [0, 1], that is for
every x >= 0: f(1) = 1, and f(0) = 1 / (2 * sqrt(pi)). It is interpolated at the Chebyshev nodes of u = 2 * t - 1
with 50 digits, and the expansion is cut off where what is left out sums to less than a thousandth of the spacing
of doubles below 1.

Run with: python tools/fit_erfc.py
"""

from mpmath import cos, erfc, exp, fsum, mp, mpf, pi

NODES = 120
NEGLIGIBLE = mpf(2) ** -63


def scaled(t: mpf) -> mpf:
    """Return f(t) as above."""
    x = 2 / t - 2
    return erfc(x) * exp(x * x) / t


def coefficients() -> list[mpf]:
    """Return c[k] with f = c[0] + sum of c[k] * T_k(u) for k >= 1, as few as are needed."""
    angles = [pi * (2 * i + 1) / (2 * NODES) for i in range(NODES)]
    samples = [scaled((1 + cos(angle)) / 2) for angle in angles]
    expansion = [
        2 * fsum(f * cos(k * angle) for f, angle in zip(samples, angles, strict=True)) / NODES
        for k in range(NODES)
    ]
    expansion[0] /= 2
    left_out = mpf(0)
    while left_out + abs(expansion[-1]) < NEGLIGIBLE:
        left_out += abs(expansion.pop())
    return expansion


if __name__ == "__main__":
    mp.dps = 50
    for coefficient in coefficients():
        print(f"{float(coefficient)!r},")
