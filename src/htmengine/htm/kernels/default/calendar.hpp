// Times of the day and days of the week, in UTC, of any finite number of seconds since the epoch.
#pragma once

#include <algorithm>
#include <cmath>

namespace htmengine::calendar {

constexpr double day_s = 86400.0;

/// Seconds since midnight, from 0 to below a day. Of times so far away that doubles no longer tell seconds apart, some
/// time of that day.
inline double time_of_day(double timestamp) {
    const double seconds = timestamp - std::floor(timestamp / day_s) * day_s;
    return std::min(std::max(seconds, 0.0), day_s - 1e-3);
}

/// 0 to 6; 0 is Monday: the epoch began on a Thursday.
inline int weekday(double timestamp) {
    const double day = std::floor(timestamp / day_s) + 3.0;
    return static_cast<int>(std::min(std::max(day - std::floor(day / 7.0) * 7.0, 0.0), 6.0));
}

}  // namespace htmengine::calendar
