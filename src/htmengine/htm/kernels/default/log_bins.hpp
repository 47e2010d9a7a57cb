// Bins of equal ratio for numbers from 0 to 1000: eight for each doubling, from 2^-7 to 2^10. The lowest one reaches
// down to 0, the highest one holds everything above, too.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace htmengine::log_bins {

constexpr int per_octave = 8;
constexpr int lowest_exponent = -7;
constexpr std::size_t count = 17 * per_octave;

/// What one number adds to its bin: it is halved a few times before it is lost.
constexpr std::uint32_t weight = 16;

/// The bin of a number; that of NaN is the lowest.
inline std::size_t bin_of(double number) {
    if (!(number > 0.0)) return 0;
    int exponent = 0;
    const double fraction = std::frexp(number, &exponent);  // 0.5 .. 1
    const int octave = std::min(std::max(exponent - 1 - lowest_exponent, -1), 17);
    const int bin = octave * per_octave + static_cast<int>((fraction - 0.5) * (2 * per_octave));
    return static_cast<std::size_t>(std::min(std::max(bin, 0), static_cast<int>(count) - 1));
}

inline double lower_edge(std::size_t bin) {
    if (bin == 0) return 0.0;
    const int place = static_cast<int>(bin);
    return std::ldexp(1.0 + (place % per_octave) / static_cast<double>(per_octave),
                      place / per_octave + lowest_exponent);
}

}  // namespace htmengine::log_bins
