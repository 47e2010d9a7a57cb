// Exponential, logarithm and complementary error function that give the same bits on every machine.
//
// A platform's own libm may differ in the last bit from another's, and a score would differ with it. These use
// +, -, *, / and bit operations alone, all of which IEEE 754 defines to the bit; the twin in
// tests/reference/portable_math.py repeats them operation by operation.
#pragma once

namespace htmengine::portable {

/// e^x, within 1 unit in the last place; subnormal results are rounded once more.
/// exp(NaN) = NaN; infinity above 709.78, 0 below -745.13.
double exp(double x);

/// Natural logarithm, within 1 unit in the last place, of subnormal numbers too.
/// log(0) = -infinity; NaN below 0 and of NaN; log(infinity) = infinity.
double log(double x);

/// Complementary error function. Relative error below 1e-15 up to x = 26.5; from there on results are subnormal
/// and right to a few multiples of the smallest double. 0 above 27.3, 2 below -6; erfc(NaN) = NaN.
double erfc(double x);

}  // namespace htmengine::portable
