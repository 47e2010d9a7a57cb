// How far values lie from what is expected of them at their time, and whether that is unusual for their metric.
//
// A distance (from the level of the time), an error (of the forecast) and an offset (the distance, averaged over some
// records) are measured twice:
// - in units of their usual size, mostly that of the long run. A strength of 1 is the size of an alarm (see AlarmSize),
//   which changes as the metric shows more of what it does. Prominence is the size in units of what that mostly was. It
//   ranks: within a metric, what is larger is more prominent, today as a month ago;
// - in units of their recent size, by how rare that is among the last thousands of records (see Tail). So is unrest, the
//   average size of errors.
// Deviations that repeat at the same time of day are usual there (see Habits); others are measured relative to them.
//
// Where a metric varies, the expectation does not follow a lone burst of wild values, and a far value that comes back bit
// for bit teaches nothing (see LoneBurst, StandIn).
#pragma once

#include <algorithm>
#include <cstdint>

#include "default/alarm_size.hpp"
#include "default/expectation.hpp"
#include "default/far_records.hpp"
#include "default/habits.hpp"
#include "default/tail.hpp"

namespace htmengine {

struct SeasonalDeviationParameters {
    double spread_rate;              // per record, of the recent size of errors and distances
    double long_rate;                // of their size in the long run
    double offset_rate;              // of the average distance that is an offset
    double recent_rate;              // of the averages that rareness is asked of
    double limit;                    // errors and distances count up to so many usual ones in what follows the metric,
    double profile_limit;            // up to so many in what is remembered of a time,
    double furthest;                 // and up to so many in how experts are judged
    std::uint32_t constant_records;  // equal values after which the first other one is an alarm
};

/// What a metric's bulk is like, whatever single values do.
struct BulkScale {
    double level;
    double error;     // usual size of steps
    double distance;  // usual distance from the level
};

class SeasonalDeviation {
   public:
    struct Rareness {
        double distance = 0.0;  // each as -log10 of a probability
        double error = 0.0;
        double offset = 0.0;
        double unrest = 0.0;

        double largest() const { return std::max({distance, error, offset, unrest}); }
    };

    struct Score {
        double forecast = 0.0;
        double usual_low = 0.0;   // within these 99 of 100 values lie; NaN on probation
        double usual_high = 0.0;
        double unit = 0.0;        // usual size of the forecast's errors
        double distance = 0.0;    // strengths: 1 is an alarm
        double error = 0.0;
        double offset = 0.0;
        double prominence = 0.0;  // how large it is, in typical sizes of an alarm
        Rareness rareness;
        bool habitual = false;    // whether alarms are usual at this time, or the value is

        double strength() const { return std::max({distance, error, offset}); }
    };

    /// Throws std::invalid_argument when a parameter is out of range.
    SeasonalDeviation(const SeasonalDeviationParameters& parameters, const ExpectationParameters& expectation,
                      const AlarmSizeParameters& alarm_size, const TailParameters& tail, const HabitParameters& habits);

    /// A new one with the same parameters, which knows what the bulk of its metric is like.
    SeasonalDeviation renewed(const BulkScale& bulk) const;

    /// Scores a value (at most 1e300 from zero) by those before it, then takes it in. Constant time, amortised.
    Score update(double timestamp, double value);

    /// Whether the sizes that it knows exceed those of the bulk by more than this factor: a wild value has set them.
    bool exceeds(const BulkScale& scale, double factor) const {
        return long_error_ > factor * scale.error || long_distance_ > factor * scale.distance;
    }

    double begun() const { return expectation_.begun(); }

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.records_, self.assumed_, self.expectation_, self.habits_, self.recent_error_, self.long_error_,
                self.recent_distance_, self.long_distance_, self.outside_, self.offset_, self.recent_offset_,
                self.unrest_, self.alarm_error_, self.alarm_distance_, self.alarm_offset_, self.distance_tail_,
                self.error_tail_, self.offset_tail_, self.unrest_tail_, self.burst_, self.stand_in_);
    }

    /// Throws StateError unless the state fits.
    void restored() const;

   private:
    double size_of(double deviation, double unit) const;
    bool varies() const;
    void learn(double value, const Expectation::Expected& expected, bool follows, double recent_error,
               double recent_distance);

    SeasonalDeviationParameters parameters_;
    ExpectationParameters expectation_parameters_;
    AlarmSizeParameters alarm_size_parameters_;
    TailParameters tail_parameters_;
    HabitParameters habit_parameters_;
    std::uint64_t records_ = 0;
    std::uint8_t assumed_ = 0;
    Expectation expectation_;
    Habits habits_;
    double recent_error_ = 0.0;
    double long_error_ = 0.0;
    double recent_distance_ = 0.0;
    double long_distance_ = 0.0;
    std::int32_t outside_ = 0;  // records in a row beyond the limit, above or below (negative)
    double offset_ = 0.0;
    double recent_offset_ = 0.0;
    double unrest_ = 0.0;
    AlarmSize alarm_error_;
    AlarmSize alarm_distance_;
    AlarmSize alarm_offset_;
    Tail distance_tail_;
    Tail error_tail_;
    Tail offset_tail_;
    Tail unrest_tail_;
    LoneBurst burst_;
    StandIn stand_in_;
};

}  // namespace htmengine
