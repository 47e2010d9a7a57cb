// What a metric's next value is expected to be, by experts that compete.
//
// Each expert has a level: the metric's own; its value at this time of day; its value at this hour of the week; and what
// these say together, with what this minute of the hour adds: much of what runs on a machine runs every hour, or every 5
// to 30 minutes. The last one counts only where it clearly errs less than the others together. An expert's forecast adds
// what is left of the last value's distance from its level: a first-order autoregression around it, as the metric had it.
// Experts count by the inverse square of their usual errors. The combined forecast is expected of this very record, the
// combined level of any record at this time.
//
// The values of a day are kept for each five minutes, those of a week for each hour, and for each minute of an hour what
// it adds: means over past visits, since what came in the last minutes is no evidence of what is usual at this time. A
// weekday that is not known yet is taken for the weekday before it, a Sunday for the Saturday. All times are UTC.
//
// Source: prediction with expert advice, weights by past losses, as in Cesa-Bianchi and Lugosi (2006), "Prediction,
// Learning, and Games", chapter 2; here with the inverse square of discounted mean errors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace htmengine {

struct ExpectationParameters {
    double level_rate;     // per record, of the metric's own level
    double day_rate;       // per visit, of the values at a time of day
    double week_rate;      // per visit, of the values at an hour of the week
    double hour_rate;      // per visit, of what a minute of the hour adds
    double forecast_rate;  // per record, of the regression
    double loss_rate;      // per record, of the experts' usual errors
    double ridge;          // weight of the prior "stays where it is", in squared spreads
};

/// The values at each time of a cycle: a mean over visits.
///
/// A value counts up to a limit, and so does a visit, so that one incident does not become what is expected. When a time is
/// visited and most values lie beyond the limit again, the limit grows fourfold each time and the mean begins anew: then
/// this is taken as usual there.
class Profile {
   public:
    Profile(std::size_t slots, double rate);

    /// Whether the slot was visited before the present visit.
    bool known(std::size_t slot) const { return visits_[slot] > 0; }
    /// Whether enough visits agree.
    bool settled(std::size_t slot) const;
    double mean(std::size_t slot) const { return means_[slot]; }

    /// Sets the slot of the next value. Where that is another one, the last visit is over, and the mean of a slot
    /// that was visited several times moves by at most `limit`.
    void visit(std::size_t slot, double limit);

    /// Takes a value of the present visit; it counts as lying at most `limit` from the slot's mean, or from what was
    /// expected of it where that is not known.
    void add(double value, double expected, double limit);

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.means_, self.visits_, self.outside_, self.slot_, self.sum_, self.values_, self.beyond_);
    }

    /// Throws StateError unless the state fits.
    void restored() const;

   private:
    void end_visit(double limit);

    double rate_;
    std::size_t slots_;
    std::vector<float> means_;           // per slot
    std::vector<std::uint8_t> visits_;   // per slot, at most 250
    std::vector<std::uint8_t> outside_;  // per slot: visits in a row that lay beyond the limit, at most 30
    std::uint32_t slot_;                 // visited at present; as many as there are slots: none
    double sum_ = 0.0;                   // of the values of this visit, as they count
    std::uint64_t values_ = 0;
    std::uint64_t beyond_ = 0;           // those beyond the limit
};

class Expectation {
   public:
    struct Expected {
        double forecast;  // of this record
        double level;     // of any record at this time
    };

    /// How far a value counts in what follows the metric.
    struct Limits {
        double step;      // of the metric's own level
        double error;     // an expert's errors of forecasts
        double distance;  // an expert's distances from its level, in what its usual ones are
        double rest;      // and in what the regression starts from
        double profile;   // distance from the combined level, in what profiles learn
        double spread;    // unit of the regression; above 0
    };

    /// Throws std::invalid_argument when a parameter is out of range.
    explicit Expectation(const ExpectationParameters& parameters);

    /// Before the first record: what the metric's level is known to be.
    void assume(double level);

    /// The first record.
    void begin(double timestamp, double value);

    /// What is expected at a time. Profiles follow the visits that end by at most `limit`; what is further from the metric's own
    /// level is far.
    Expected expect(double timestamp, double limit);

    /// What was just expected of a value, or where it is closer, what is expected without those experts who know of this time
    /// from one or two visits alone, and something far from the metric's own level: what came once or twice need not come again.
    Expected closest(double value, const Expected& expected) const;

    /// Takes the value for which expect() was just asked. `rate` is that of a plain mean over all records.
    void learn(double value, const Expected& expected, double rate, const Limits& limits);

    /// Time of the first record, and what the values of a day and a week are relative to.
    double begun() const { return begun_; }
    double origin() const { return origin_; }

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.assumed_, self.begun_, self.origin_, self.level_, self.day_, self.week_, self.hour_,
                self.others_error_, self.others_bias_);
        for (auto& expert : self.experts_) archive(expert);
    }

    /// Throws StateError unless the state fits.
    void restored() const;

   private:
    struct Expert {
        std::uint8_t follows = 0;     // whether it had a level at the last record
        double rest = 0.0;            // distance of the last value from that
        double squares = 0.0;         // running means over rests x and the next ones x', in spreads: x^2
        double products = 0.0;        // and x (x' - x)
        double forecast_error = 0.0;  // usual ones
        double level_error = 0.0;
        std::uint64_t records = 0;    // for which it had a level

        template <class Self, class Archive>
        static void fields(Self& self, Archive& archive) {
            archive(self.follows, self.rest, self.squares, self.products, self.forecast_error, self.level_error,
                    self.records);
        }
    };

    static constexpr std::size_t by_minute = 3;  // the expert that builds on all before it
    static constexpr std::size_t expert_count = 4;

    /// Weighted sums over experts.
    struct Mixture {
        double forecast = 0.0;
        double level = 0.0;
        double forecast_weights = 0.0;
        double level_weights = 0.0;

        void add(const Expected& said, double by_forecast, double by_level);
        Expected mean() const { return {forecast / forecast_weights, level / level_weights}; }
    };

    struct HourMean {
        double mean;
        bool settled;  // whether enough visits say so
    };

    void visit(double timestamp, double limit);
    void find_levels(double timestamp);
    void consult(std::size_t expert, Mixture& mixture, double limit);
    bool counts(std::size_t expert) const;
    std::optional<HourMean> hour_mean(int weekday, int hour) const;

    ExpectationParameters parameters_;
    std::uint8_t assumed_ = 0;
    double begun_ = 0.0;
    double origin_ = 0.0;  // the first value, or what is known of the level; profiles of day and week are relative to it
    double level_ = 0.0;
    Profile day_;
    Profile week_;
    Profile hour_;
    double others_error_ = 0.0;  // usual distance from what the others say together,
    double others_bias_ = 0.0;   // and the mean one, which says nothing of a minute: what grows is ahead of its level
    std::array<Expert, expert_count> experts_;
    // From expect() to learn().
    std::array<double, expert_count> levels_{};
    std::array<double, expert_count> forecasts_{};
    std::array<bool, expert_count> has_level_{};
    std::array<bool, expert_count> settled_{};  // whether enough visits say so
    bool doubtful_ = false;      // whether an expert says something far that it knows from a visit or two
    Mixture settled_only_;       // without these
    double others_level_ = 0.0;  // what all but the last expert say together
};

}  // namespace htmengine
