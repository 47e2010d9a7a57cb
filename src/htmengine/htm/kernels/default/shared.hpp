// What the versions of the default model have in common: the log scale, and what their memory foresaw.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "common/explanation.hpp"
#include "default/hash_encoder.hpp"
#include "common/portable_math.hpp"
#include "default/transition_memory.hpp"

namespace htmengine::default_shared {

constexpr double furthest_value = 1e300;  // differences and ranges of such values are still finite
constexpr double furthest_bucket = 1e15;  // beyond it neighbouring buckets are no longer neighbouring doubles
constexpr int most_buckets = 256;         // that an explanation lists
constexpr double ln_10 = 2.302585092994046;

// The fitted tails of deviations are careful: on calm data their 4 digits are about 5 (benchmarks/calibration).
constexpr double certain_digits = 3.0;
constexpr double stretch = 1.7;

/// The log scale of so many digits of certainty, without an end: 0.5 at 5 digits, 1 at infinitely many.
inline double graded(double digits) { return digits <= 5.0 ? 0.1 * std::max(0.0, digits) : 1.0 - 2.5 / digits; }

inline double digits_of(double probability) {
    // Where a double has no smaller number left, there are 300 digits.
    return -portable::log(std::max(probability, 1e-300)) / ln_10;
}

inline double stretched(double digits) {
    return digits <= certain_digits ? digits : certain_digits + stretch * (digits - certain_digits);
}

/// The bucket of a value, by a scale with steps().
template <class Scale>
double bucket_of(const Scale& scale, double value) {
    const double bucket = std::floor(scale.steps(std::min(std::max(value, -furthest_value), furthest_value)));
    return std::min(std::max(bucket, -furthest_bucket), furthest_bucket);
}

/// What the memory had foreseen at the last sample, for the buckets around its forecast in which values have been.
template <class Scale>
std::vector<Explanation::Bucket> foreseen_buckets(const Verdict& latest, const Scale& scale, const HashEncoder& encoder,
                                                  const TransitionMemory& memory) {
    const double middle = bucket_of(scale, std::isnan(latest.forecast) ? latest.value : latest.forecast);
    const double first = std::max(bucket_of(scale, scale.lowest()), middle - most_buckets / 2);
    const double last = std::min(bucket_of(scale, scale.highest()), middle + most_buckets / 2 - 1);
    const std::vector<std::uint8_t> predicted = memory.predicted();
    std::vector<std::uint32_t> columns;
    std::vector<Explanation::Bucket> buckets;
    for (double bucket = first; bucket <= last; ++bucket) {
        encoder.encode(latest.timestamp, bucket, columns);
        double foreseen = 0.0;
        for (const std::uint32_t column : columns) foreseen += predicted[column];
        buckets.push_back({scale.value_at(bucket), scale.value_at(bucket + 1.0),
                           foreseen / static_cast<double>(columns.size())});
    }
    return buckets;
}

}  // namespace htmengine::default_shared
