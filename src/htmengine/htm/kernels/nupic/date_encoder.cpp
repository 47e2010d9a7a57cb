#include "nupic/date_encoder.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace htmengine {

namespace {

constexpr std::int64_t seconds_per_day = 86400;
constexpr double first_second = -62135596800.0;  // 0001-01-01 00:00:00
constexpr double last_second = 253402300799.0;   // 9999-12-31 23:59:59
constexpr std::int64_t days_per_era = 146097;    // 400 years
constexpr std::int64_t epoch_from_era = 719468;  // days from 0000-03-01 to 1970-01-01

std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

bool is_leap_year(std::int32_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

std::int32_t days_of_month(std::int32_t year, std::int32_t month) {
    if (month == 2) return is_leap_year(year) ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

std::optional<ScalarEncoder> part_encoder(const DateEncoderParameters::Part& part, double maximum, bool periodic) {
    if (part.w == 0) return std::nullopt;
    ScalarEncoderParameters p{};
    p.w = part.w;
    p.maximum = maximum;
    p.periodic = periodic;
    p.radius = part.radius;
    return ScalarEncoder(p);
}

}  // namespace

// Both conversions count years from March, so that the leap day is the last one of a year, in eras of 400 years.
// Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
std::int64_t days_from_civil(std::int32_t year, std::int32_t month, std::int32_t day_of_month) {
    const std::int64_t march_year = year - (month <= 2 ? 1 : 0);
    const std::int64_t era = floor_divide(march_year, 400);
    const std::int64_t year_of_era = march_year - era * 400;
    const std::int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day_of_month - 1;
    const std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * days_per_era + day_of_era - epoch_from_era;
}

CivilTime civil_time(double timestamp) {
    const auto seconds = static_cast<std::int64_t>(std::floor(std::min(std::max(timestamp, first_second), last_second)));
    const std::int64_t day = floor_divide(seconds, seconds_per_day);
    const std::int64_t era = floor_divide(day + epoch_from_era, days_per_era);
    const std::int64_t day_of_era = day + epoch_from_era - era * days_per_era;
    const std::int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const std::int64_t day_of_march_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t months_from_march = (5 * day_of_march_year + 2) / 153;

    CivilTime time;
    time.day = day;
    time.month = static_cast<std::int32_t>(months_from_march < 10 ? months_from_march + 3 : months_from_march - 9);
    time.year = static_cast<std::int32_t>(year_of_era + era * 400 + (time.month <= 2 ? 1 : 0));
    time.day_of_month = static_cast<std::int32_t>(day_of_march_year - (153 * months_from_march + 2) / 5 + 1);
    time.day_of_year = static_cast<std::int32_t>(day - days_from_civil(time.year, 1, 1));
    time.weekday = static_cast<std::int32_t>(day + 3 - 7 * floor_divide(day + 3, 7));  // the epoch was a Thursday
    time.second = static_cast<std::int32_t>(seconds - day * seconds_per_day);
    return time;
}

DateEncoder::DateEncoder(const DateEncoderParameters& p)
    : holidays_(p.holidays),
      season_(part_encoder(p.season, 366.0, true)),
      day_of_week_(part_encoder(p.day_of_week, 7.0, true)),
      weekend_(part_encoder(p.weekend, 1.0, false)),
      custom_days_(part_encoder(p.custom_days, 1.0, false)),
      holiday_(part_encoder(p.holiday, 1.0, false)),
      time_of_day_(part_encoder(p.time_of_day, 24.0, true)) {
    for (const std::uint32_t weekday : p.custom_weekdays) {
        if (weekday > 6)
            throw std::invalid_argument("weekday " + std::to_string(weekday) + " does not exist, only 0 to 6");
        custom_weekdays_ |= 1u << weekday;
    }
    if (custom_days_ && custom_weekdays_ == 0)
        throw std::invalid_argument("custom_days needs at least one weekday in custom_weekdays");
    for (const Holiday& h : holidays_) {
        const std::int32_t year = h.year == 0 ? 2000 : h.year;  // in 2000 every day exists
        if (year < 1 || year > 9999 || h.month < 1 || h.month > 12 || h.day_of_month < 1 ||
            h.day_of_month > days_of_month(year, h.month))
            throw std::invalid_argument("a holiday is on no day of the calendar: year " + std::to_string(h.year) +
                                        ", month " + std::to_string(h.month) + ", day " +
                                        std::to_string(h.day_of_month));
    }
    for (const auto* part : {&season_, &day_of_week_, &weekend_, &custom_days_, &holiday_, &time_of_day_})
        if (*part) width_ += (*part)->width();
    if (width_ == 0) throw std::invalid_argument("a date encoder needs at least one part");
}

void DateEncoder::encode(double timestamp, std::uint32_t first_bit, std::vector<std::uint32_t>& bits) const {
    if (!std::isfinite(timestamp)) return;
    const CivilTime time = civil_time(timestamp);
    const double hours = time.second / 3600 + time.second / 60 % 60 / 60.0;
    const bool weekend = time.weekday >= 5 || (time.weekday == 4 && hours > 18.0);
    const bool custom_day = (custom_weekdays_ >> time.weekday & 1u) != 0;

    const auto append = [&](const std::optional<ScalarEncoder>& part, double value) {
        if (!part) return;
        part->encode(value, first_bit, bits);
        first_bit += part->width();
    };
    append(season_, time.day_of_year);
    append(day_of_week_, time.weekday + hours / 24.0);
    append(weekend_, weekend ? 1.0 : 0.0);
    append(custom_days_, custom_day ? 1.0 : 0.0);
    if (holiday_) append(holiday_, holiday(time));
    append(time_of_day_, hours);
}

/// 1 on a holiday, rising to it from 0 over the day before and falling back over the day after.
double DateEncoder::holiday(const CivilTime& time) const {
    double value = 0.0;
    for (const Holiday& h : holidays_) {
        const std::int32_t year = h.year == 0 ? time.year : h.year;
        if (h.day_of_month > days_of_month(year, h.month)) continue;
        const std::int64_t midnight = days_from_civil(year, h.month, h.day_of_month);
        const std::int64_t since = (time.day - midnight) * seconds_per_day + time.second;
        // The first entry that the moment is on or just after decides; of entries ahead, the last one.
        if (since >= 0 && since < seconds_per_day) return 1.0;
        if (since >= seconds_per_day && since < 2 * seconds_per_day)
            return 1.0 - static_cast<double>(since - seconds_per_day) / seconds_per_day;
        if (since < 0 && since > -seconds_per_day) value = 1.0 + static_cast<double>(since) / seconds_per_day;
    }
    return value;
}

}  // namespace htmengine
