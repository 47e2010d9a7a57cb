#include "common/portable_math.hpp"

#include <cstdint>
#include <cstring>
#include <limits>

namespace htmengine::portable {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

// ln 2 in two parts: the upper has 21 trailing zero bits, so that its product with an exponent is exact.
constexpr double ln2_upper = 0x1.62e42fee00000p-1;
constexpr double ln2_lower = 0x1.a39ef35793c76p-33;
constexpr double inverse_ln2 = 0x1.71547652b82fep+0;
constexpr double sqrt_half = 0x1.6a09e667f3bcdp-1;

constexpr int exponent_bias = 1023;
constexpr int mantissa_bits = 52;
constexpr std::uint64_t mantissa_mask = (std::uint64_t{1} << mantissa_bits) - 1;

// Taylor coefficients 1 / k! of the exponential for k = 13 down to 2.
constexpr double inverse_factorials[] = {
    1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0, 1.0 / 362880.0, 1.0 / 40320.0,
    1.0 / 5040.0,       1.0 / 720.0,       1.0 / 120.0,      1.0 / 24.0,      1.0 / 6.0,      1.0 / 2.0,
};

// Taylor coefficients 2 / (2 k + 1) of the inverse hyperbolic tangent for k = 11 down to 1.
constexpr double twice_odd_inverses[] = {
    2.0 / 23.0, 2.0 / 21.0, 2.0 / 19.0, 2.0 / 17.0, 2.0 / 15.0, 2.0 / 13.0,
    2.0 / 11.0, 2.0 / 9.0,  2.0 / 7.0,  2.0 / 5.0,  2.0 / 3.0,
};

// Chebyshev coefficients of erfc(x) * exp(x * x) / t in 2 * t - 1, t = 2 / (2 + x). Source: tools/fit_erfc.py.
constexpr double erfc_coefficients[] = {
    0.5770337386164697, 0.3554369212704985, 0.06509515882878653, 0.003671142395836639,
    -0.0011128447433526325, -0.0001607582991537808, 3.278031574173137e-05, 5.442441645505016e-06,
    -1.5154665553171482e-06, -1.4297608181169865e-07, 8.234608827419493e-08, -1.2962846852306563e-09,
    -4.154721631015199e-09, 6.347058278362811e-10, 1.4320822712256225e-10, -6.160390105204585e-11,
    2.0612138554721698e-12, 3.5714931488477042e-12, -8.586422843251796e-13, -6.14560021379063e-14,
    7.418725748596617e-14, -1.2895042755032325e-14, -2.358726385710632e-15, 1.5729349381685912e-15,
    -2.2782966239546465e-16, -6.31233045075643e-17, 3.5916763531814925e-17, -5.049809149847729e-18,
    -1.5324541113154899e-18, 8.90334528899061e-19, -1.4031007385132944e-19,
};

std::uint64_t bits_of(double x) {
    std::uint64_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}

double from_bits(std::uint64_t bits) {
    double x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

/// 2^exponent for -1022 <= exponent <= 1023.
double power_of_two(int exponent) {
    return from_bits(static_cast<std::uint64_t>(exponent + exponent_bias) << mantissa_bits);
}

/// The nearest whole number, as |x| is far below 2^31.
int nearest(double x) { return static_cast<int>(x < 0.0 ? x - 0.5 : x + 0.5); }

}  // namespace

double exp(double x) {
    if (x != x) return not_a_number;
    if (x > 709.782712893384) return infinity;
    if (x < -745.1332191019412) return 0.0;
    // x = k ln 2 + r with |r| <= ln 2 / 2, r kept as the sum of a rounded number and its rounding error.
    const int k = nearest(x * inverse_ln2);
    const double upper = x - k * ln2_upper;
    const double lower = k * ln2_lower;
    const double r = upper - lower;
    const double r_error = (upper - r) - lower;
    double series = 0.0;
    for (const double coefficient : inverse_factorials) series = series * r + coefficient;
    const double mantissa = 1.0 + (r + (r_error + r * r * series));
    // In two factors, as 2^k itself may be too large or too small for a double.
    const int half = k / 2;
    return mantissa * power_of_two(half) * power_of_two(k - half);
}

double log(double x) {
    if (x != x || x < 0.0) return not_a_number;
    if (x == 0.0) return -infinity;
    if (x == infinity) return infinity;
    int exponent = 0;
    if (x < std::numeric_limits<double>::min()) {  // subnormal: bring the leading bit to its place
        x *= power_of_two(54);
        exponent = -54;
    }
    // x = m 2^exponent with m in [sqrt(1/2), sqrt(2)), so that logarithms of numbers near 1 lose nothing.
    const std::uint64_t bits = bits_of(x);
    exponent += static_cast<int>(bits >> mantissa_bits) - (exponent_bias - 1);
    double m = from_bits((bits & mantissa_mask) | (std::uint64_t{exponent_bias - 1} << mantissa_bits));
    if (m < sqrt_half) {
        m *= 2.0;
        exponent -= 1;
    }
    // ln(1 + f) = 2 artanh(s) = f - (f^2 / 2 - s (f^2 / 2 + R)) with R = 2 s^2 / 3 + 2 s^4 / 5 + ...: the
    // largest term, f, is exact.
    const double f = m - 1.0;
    const double s = f / (2.0 + f);
    const double square = s * s;
    double series = 0.0;
    for (const double coefficient : twice_odd_inverses) series = (series + coefficient) * square;
    const double half_square = 0.5 * f * f;
    const double correction = half_square - (s * (half_square + series) + exponent * ln2_lower);
    return exponent * ln2_upper - (correction - f);
}

double erfc(double x) {
    if (x != x) return not_a_number;
    const double magnitude = x < 0.0 ? -x : x;
    double tail = 0.0;
    if (magnitude < 28.0) {
        const double t = 2.0 / (2.0 + magnitude);
        const double u = 2.0 * t - 1.0;
        // Clenshaw's recurrence, from the highest coefficient down to the one of T_1.
        double sum = 0.0;
        double previous = 0.0;
        constexpr int last = static_cast<int>(sizeof erfc_coefficients / sizeof *erfc_coefficients) - 1;
        for (int k = last; k > 0; --k) {
            const double next = 2.0 * u * sum - previous + erfc_coefficients[k];
            previous = sum;
            sum = next;
        }
        const double scaled = u * sum - previous + erfc_coefficients[0];
        // x^2 = upper^2 + (x - upper)(x + upper); the first square is exact, for upper has 26 significant bits.
        const double upper = from_bits(bits_of(magnitude) & ~((std::uint64_t{1} << 27) - 1));
        const double rest = (magnitude - upper) * (magnitude + upper);
        tail = exp(-upper * upper) * (exp(-rest) * (t * scaled));
    }
    return x < 0.0 ? 2.0 - tail : tail;
}

}  // namespace htmengine::portable
