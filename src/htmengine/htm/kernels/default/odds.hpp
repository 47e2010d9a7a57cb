// One in how many records is as unusual, by the combined strengths of a metric's records before it.
//
// A number is the square of a combined strength. Below 1, and from 1.49 on, it is that of a deviation. Between them lie
// the alarms of findings that say that something has changed, not by how much: a group of their own, which no tail of
// deviations knows, and which is common where deviations of that rank are not. So a number is exceeded by
// - deviations: as many as were, down to the highest half per cent or 16; beyond, by a Pareto tail (Hill 1975,
//   doi:10.1214/aos/1176343247), since single ones exceed the others by any factor;
// - findings: by how many there were, and where in the group. What the metric has shown is joined to what calm generated
//   metrics show (seeds 501 to 503 of benchmarks/calibration), which counts as much as a few findings;
// - what no record has been yet, a little.
// What a metric did while it was young fades as it grows up.
//
// The numbers are counted in the bins of a Tail, and the state is that of one, since the odds of earlier releases were.
#pragma once

#include <cstdint>
#include <vector>

#include "default/tail.hpp"

namespace htmengine {

class Odds {
   public:
    /// Of the parameters of a tail, `share`, `memory`, `refit` and `probation` count. Throws std::invalid_argument when
    /// one is out of range.
    explicit Odds(const TailParameters& parameters);

    /// One in how many numbers is as high as this, by those before it; then takes it in. NaN on probation. The number is
    /// from 0 to `Tail::highest`. Amortised constant time.
    double update(double number);

    /// Numbers taken so far.
    std::uint64_t numbers() const { return numbers_; }

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.counts_, self.total_, self.numbers_, self.threshold_, self.beyond_, self.shape_, self.exponent_);
    }

    /// Throws StateError unless the state fits.
    void restored() const;

   private:
    bool fitted() const { return exponent_ > 0.0; }
    double probability(double number) const;
    double of_deviations(double number) const;
    double of_findings(double number) const;
    void fit();
    void count(double number);

    TailParameters parameters_;
    std::vector<std::uint32_t> counts_;  // per bin
    std::uint64_t total_ = 0;
    std::uint64_t numbers_ = 0;
    double threshold_ = 0.0;  // where the fitted tail of deviations begins
    double beyond_ = 1.0;     // probability of a deviation beyond it
    double shape_ = 0.0;      // of the fit of an earlier release; 0 of others
    double exponent_ = 0.0;   // of the tail, its inverse; 0 before the first fit
};

}  // namespace htmengine
