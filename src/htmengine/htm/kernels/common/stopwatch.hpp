// Where the time of a record goes; for benchmarks. Switched off it costs one comparison per stage.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace htmengine {

class Stopwatch {
   public:
    /// Off: laps are not taken.
    Stopwatch() = default;

    /// Adds the nanoseconds of each lap to laps[stage].
    explicit Stopwatch(std::vector<std::int64_t>& laps) : laps_(&laps), last_(Clock::now()) {}

    /// Ends a stage: the time since the last lap was its.
    void lap(std::size_t stage) {
        if (laps_ == nullptr) return;
        const auto now = Clock::now();
        (*laps_)[stage] += std::chrono::duration_cast<std::chrono::nanoseconds>(now - last_).count();
        last_ = now;
    }

   private:
    using Clock = std::chrono::steady_clock;

    std::vector<std::int64_t>* laps_ = nullptr;
    Clock::time_point last_;
};

}  // namespace htmengine
