#include "default/hash_encoder.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "common/mixing.hpp"
#include "common/parameter_checks.hpp"

namespace htmengine {

namespace {

constexpr double seconds_per_day = 86400.0;
constexpr double furthest_bucket = 1e15;  // beyond it neighbouring buckets are no longer neighbouring doubles

std::uint64_t whole(double number) { return static_cast<std::uint64_t>(static_cast<std::int64_t>(number)); }

}  // namespace

HashEncoder::HashEncoder(const HashEncoderParameters& parameters) : parameters_(parameters) {
    require(parameters.columns >= 1 && parameters.columns <= 65535,
            "columns must be from 1 to 65535", parameters.columns);
    require(parameters.value_bits >= 1, "value_bits must be at least 1", parameters.value_bits);
    require(parameters.day_parts >= 1, "day_parts must be at least 1", parameters.day_parts);
}

void HashEncoder::encode(double timestamp, double buckets, std::vector<std::uint32_t>& columns) const {
    const auto& p = parameters_;
    const double bucket = std::floor(std::min(std::max(buckets, -furthest_bucket), furthest_bucket));
    const double day = timestamp / seconds_per_day;
    const double day_part = (day - std::floor(day)) * p.day_parts;
    columns.clear();
    for (std::uint32_t bit = 0; bit < p.value_bits + p.daytime_bits; ++bit) {
        const std::uint32_t shift = bit % p.value_bits;
        std::uint64_t seen = mix(p.seed ^ mix(bit)) ^ whole(std::floor((bucket + shift) / p.value_bits));
        if (bit >= p.value_bits) {
            const double phase = static_cast<double>(bit - p.value_bits) / p.daytime_bits;
            // The last, incomplete part of the day is the first one of the next.
            const std::uint64_t part = whole(std::floor(day_part + phase)) % p.day_parts;
            seen = mix(seen) ^ part;
        }
        columns.push_back(static_cast<std::uint32_t>(mix(seen) % p.columns));
    }
    std::sort(columns.begin(), columns.end());
    columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
}

}  // namespace htmengine
