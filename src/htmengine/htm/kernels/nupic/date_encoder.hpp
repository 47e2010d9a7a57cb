// The date encoder: where a moment lies in the year, in the week and in the day, UTC.
//
// Up to six scalar encoders side by side, each only if it is wanted, in the order of DateEncoderParameters.
// Source: reference "HTM scalar anomaly models", section 4.4; golden vectors date.json.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "nupic/scalar_encoder.hpp"

namespace htmengine {

/// A moment in the proleptic Gregorian calendar.
struct CivilTime {
    std::int64_t day;           // since 1970-01-01
    std::int32_t year;          // 1 .. 9999
    std::int32_t month;         // 1 .. 12
    std::int32_t day_of_month;  // from 1
    std::int32_t day_of_year;   // from 0
    std::int32_t weekday;       // from 0, Monday
    std::int32_t second;        // of the day
};

/// The calendar day of a finite timestamp, seconds since the epoch (UTC), fractions dropped downwards. What lies
/// outside the years 1 to 9999 counts as the first or last second inside.
CivilTime civil_time(double timestamp);

/// Days from 1970-01-01 to a day of the proleptic Gregorian calendar.
std::int64_t days_from_civil(std::int32_t year, std::int32_t month, std::int32_t day_of_month);

/// A day of one year, or of every year if `year` is 0. In years without a 29 February that holiday is left out.
struct Holiday {
    std::int32_t year;
    std::int32_t month;
    std::int32_t day_of_month;
};

struct DateEncoderParameters {
    struct Part {
        std::uint32_t w;  // active bits, odd; 0 leaves the part out
        double radius;  // two moments this far apart share no bit
    };
    Part season{0, 91.5};      // day of the year; radius in days
    Part day_of_week{0, 1.0};  // Monday 0:00 to Sunday 24:00; radius in days
    Part weekend{0, 1.0};      // Saturday, Sunday, and Friday after 18:00; or not
    Part custom_days{0, 1.0};  // the weekdays of custom_weekdays; or not
    Part holiday{0, 1.0};      // on a holiday; sliding there the day before, and back the day after
    Part time_of_day{0, 4.0};  // radius in hours
    std::vector<std::uint32_t> custom_weekdays;  // 0 .. 6, from Monday
    std::vector<Holiday> holidays{{0, 12, 25}};
};

class DateEncoder {
   public:
    /// Throws std::invalid_argument when no part is wanted or a parameter is out of range.
    explicit DateEncoder(const DateEncoderParameters& parameters);

    std::uint32_t width() const { return width_; }

    /// Appends the bits of `timestamp` (seconds since the epoch, UTC), ascending, `first_bit` added to each. Adds none
    /// for a timestamp that is not finite. Minutes count, seconds only around holidays.
    void encode(double timestamp, std::uint32_t first_bit, std::vector<std::uint32_t>& bits) const;

    template <class Self, class Archive>
    static void fields(Self&, Archive&) {}
    void restored() const {}

   private:
    double holiday(const CivilTime& time) const;

    std::vector<Holiday> holidays_;
    std::uint32_t custom_weekdays_ = 0;  // bit per weekday
    std::optional<ScalarEncoder> season_, day_of_week_, weekend_, custom_days_, holiday_, time_of_day_;
    std::uint32_t width_ = 0;
};

}  // namespace htmengine
