// A value that stands still in a metric whose values change: a sensor that hangs, an agent that repeats its last reading, a
// counter that stalls.
//
// The measure of a run of equal values is the second longest run of the last thousands of records: what a metric did twice
// is its way. Where no two values in a row were ever equal, a few are enough; where a metric often rests, it takes many.
#pragma once

#include <cstdint>

namespace htmengine {

class FrozenValue {
   public:
    /// Takes a value; says how much longer than usual it has stood still, on the log scale: 0.5 from where that is an alarm
    /// on, and 0 below. What stays far longer is a new state of the metric, and 0 again.
    double update(double value);

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.value_, self.run_, self.runs_, self.longest_, self.second_);
    }

    /// Throws StateError unless the state fits.
    void restored() const;

   private:
    double value_ = 0.0;
    std::uint32_t run_ = 0;   // records up to the last one that had its value; within limits
    std::uint32_t runs_ = 0;  // that have ended; within limits
    double longest_ = 0.0;    // of these, each fading
    double second_ = 0.0;
};

}  // namespace htmengine
