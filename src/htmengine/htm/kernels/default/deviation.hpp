// How far values lie from their metric's level and from what the last value let expect; each as rare as it is for this
// metric.
//
// The forecast is a first-order autoregression around the level: between "stays where it is" and "goes back to the
// level", as the metric's own values had it. Errors count in units of the usual error, and of that how rare it is among
// the metric's own (see Tail): large errors are usual for some metrics.
#pragma once

#include <algorithm>
#include <cstdint>

#include "default/tail.hpp"

namespace htmengine {

struct DeviationParameters {
    double level_rate;     // per record, of the level
    double spread_rate;    // of the usual errors
    double forecast_rate;  // of the regression
    double recent_rate;    // of what lasts over some records
    double ridge;          // weight of the prior "stays where it is", in squared spreads
    double limit;          // errors count up to so many usual errors in all that follows the metric
};

/// The usual size of an error: its running mean, but not less than a share of its long-term mean.
class ErrorSize {
   public:
    double size() const;
    /// The error over the usual size, from -Tail::highest to Tail::highest; 0 where no error was ever.
    double ratio(double error) const;
    /// The error cut at `limit` usual sizes.
    double cut(double error, double limit) const;
    void learn(double error, double rate, double longest_rate);

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.mean_, self.long_term_);
    }

   private:
    double mean_ = 0.0;
    double long_term_ = 0.0;
};

class Deviation {
   public:
    /// How rare each is, as -log10 of the probability to be as far.
    struct Score {
        double distance;  // from the level
        double error;     // of the forecast
        double offset;    // from the level, over the last records
        double unrest;    // errors of the forecast, over the last records

        double largest() const { return std::max({distance, error, offset, unrest}); }
    };

    /// Throws std::invalid_argument when a parameter is out of range.
    Deviation(const DeviationParameters& parameters, const TailParameters& tail);

    /// Scores a value (at most 1e300 from zero) by the values before it, then takes it in. Constant time, amortised.
    Score update(double value);

    /// What the next value is expected to be.
    double forecast() const;

    /// Usual size of the forecast's errors.
    double usual_error() const { return errors_.size(); }

    /// How large, in usual sizes, the error is that this share of the errors exceed; NaN on probation.
    double error_exceeded(double share) const { return error_tail_.exceeded(share); }

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.count_, self.level_, self.last_, self.squares_, self.products_, self.offset_, self.unrest_,
                self.distances_, self.errors_, self.distance_tail_, self.error_tail_, self.offset_tail_,
                self.unrest_tail_);
    }

    /// Throws StateError unless the state fits.
    void restored() const;

   private:
    double position() const;
    Score rarities(double distance, double error);

    DeviationParameters parameters_;
    std::uint64_t count_ = 0;
    double level_ = 0.0;
    double last_ = 0.0;
    // Running means over positions x of a value and x' of the next, in spreads from the level: x^2 and x (x' - x).
    double squares_ = 0.0;
    double products_ = 0.0;
    double offset_ = 0.0;  // running mean of the last distances, in usual ones
    double unrest_ = 0.0;  // running mean of the last errors' sizes, in usual ones
    ErrorSize distances_;
    ErrorSize errors_;
    Tail distance_tail_;
    Tail error_tail_;
    Tail offset_tail_;
    Tail unrest_tail_;
};

}  // namespace htmengine
