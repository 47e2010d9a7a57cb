// What is unusual about a value without any sequence: a jump from the last value, a new extreme.
#pragma once

#include <cstdint>

namespace htmengine {

struct NoveltyParameters {
    double jump_rate;         // of the running mean of jumps, per record
    double jump_limit;        // jumps count up to so many times their running mean
    double range_memory;      // records after which an extreme is mostly forgotten
    double range_tolerance;   // share of the range by which a new extreme must stand out
    double range_settling;    // records before which it must stand out by proportionally more
    double range_saturation;  // share of the range, outside it, at which a new extreme scores 1
};

/// Follows the size of jumps and the range of a metric; O(1) per record.
class Novelty {
   public:
    struct Score {
        double jump;     // |value - last value| over the running mean of jumps, cut at the limit, 0 .. 1
        double extreme;  // 0 within the range; from 0.5 at the tolerance to 1 at the saturation
    };

    /// Throws std::invalid_argument when a parameter is out of range.
    explicit Novelty(const NoveltyParameters& parameters);

    /// Scores a value (at most 1e300 from zero, so that no difference overflows) by the values before it, then takes it
    /// in.
    Score update(double value);

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.count_, self.last_, self.mean_jump_, self.low_, self.high_);
    }

    void restored() const {}

   private:
    double jump_score(double value);
    double extreme_score(double value);

    NoveltyParameters parameters_;
    std::uint64_t count_ = 0;
    double last_ = 0.0;
    double mean_jump_ = 0.0;
    double low_ = 0.0;
    double high_ = 0.0;
};

}  // namespace htmengine
