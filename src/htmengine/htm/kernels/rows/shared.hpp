// What the writer and the reader of blocks of rows have in common: types of arrays, and what columns may follow from.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "common/span.hpp"
#include "rows/row_block.hpp"

namespace htmengine::rows_shared {

using Integers = RowBlock::Integers;
using Reals = RowBlock::Reals;

/// Types of arrays: signed numbers of 1, 2, 4 and 8 bytes, and bytes.
enum Type : std::uint8_t { tiny, small, medium, large, byte };
constexpr std::array<std::size_t, 5> sizes{1, 2, 4, 8, 1};

constexpr std::array<double, 7> powers_of_ten{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
/// Of what the channels find, this is left in the log score of a row that does not alarm (default_model.cpp).
constexpr double share = 0.4;
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t null_digest = -1;

template <class To, class From>
To bits_as(From number) {
    static_assert(sizeof(To) == sizeof(From));
    To result;
    std::memcpy(&result, &number, sizeof result);
    return result;
}

inline std::int64_t bits_of(double number) { return bits_as<std::int64_t>(number); }

inline bool same(double one, double other) {
    return bits_of(one) == bits_of(other) || (std::isnan(one) && std::isnan(other));
}

/// Sums and differences that wrap around.
inline std::int64_t plus(std::int64_t one, std::int64_t other) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(one) + static_cast<std::uint64_t>(other));
}
inline std::int64_t minus(std::int64_t one, std::int64_t other) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(one) - static_cast<std::uint64_t>(other));
}

/// Neighbours of these are neighbours as floats.
inline std::int64_t ordered(float number) {
    const std::int64_t bits = bits_as<std::int32_t>(number);
    return bits < 0 ? -(bits & 0x7FFFFFFF) - 1 : bits;
}

inline double of_ordered(std::int64_t number) {
    const auto bits = static_cast<std::uint32_t>(number < 0 ? minus(-1, number) | 0x80000000 : number);
    return bits_as<float>(bits);
}

inline std::uint64_t mixed(std::uint64_t word) {
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9u;
    word = (word ^ (word >> 27)) * 0x94D049BB133111EBu;
    return word ^ (word >> 31);
}

/// The digest behind each row; see repository/identity.py.
inline Integers digests_from(std::int64_t first, Span<const std::int64_t> times, Span<const double> values) {
    constexpr std::uint64_t mask = (std::uint64_t{1} << 63) - 1;
    Integers digests(times.size(), first);
    if (first == null_digest) return digests;
    auto sum = static_cast<std::uint64_t>(first);
    digests[0] = static_cast<std::int64_t>(sum & mask);
    for (std::size_t row = 1; row < times.size(); ++row) {
        const auto seconds = static_cast<std::uint64_t>(bits_of(static_cast<double>(times[row])));
        const auto value = static_cast<std::uint64_t>(bits_of(values[row] + 0.0));
        sum += mixed(mixed(seconds + 0x9E3779B97F4A7C15u) ^ value) & mask;
        digests[row] = static_cast<std::int64_t>(sum & mask);
    }
    return digests;
}

/// What a column may follow from: each rule gives a number for a row.
inline double greater(double one, double other) { return one >= other || std::isnan(one) ? one : other; }

inline double log_score_by(std::size_t rule, double sequence, double novelty) {
    switch (rule) {
        case 0: return novelty;
        case 1: return share * greater(sequence, novelty);
        case 2: return share * novelty;
        default: return share * sequence;
    }
}
constexpr std::size_t log_rules = 4;

/// The height of the bar of a score; see repository/display.py.
inline double bar(double score) {
    const double size = std::abs(score);
    if (std::isnan(score)) return nan;
    if (size == 0.0) return 0.0;
    if (size > 0.99999) return 1'000'000'001.0;
    return size >= 0.9999000001 ? 1'000'000.0 : 1'000.0;
}

inline float reflected(double forecast, double usual_low) { return static_cast<float>(2.0 * forecast - usual_low); }

}  // namespace htmengine::rows_shared
