#include "default/frozen_value.hpp"

#include <algorithm>
#include <cmath>

#include "common/state.hpp"

namespace htmengine {

namespace {

constexpr std::uint32_t runs_to_judge = 500;      // that have ended, before which nothing is said
constexpr std::uint32_t longest_run = 1'000'000'000;
constexpr double fading = 1.0 / 16384.0;          // per record
constexpr double least_frozen = 6.0;              // equal values in a row at least
constexpr double beyond_usual = 2.0;              // and so many times the second longest run
constexpr double new_state = 4.0;                 // times as many as make an alarm, from which it is one no longer

}  // namespace

double FrozenValue::update(double value) {
    longest_ -= fading * longest_;
    second_ -= fading * second_;
    if (run_ > 0 && value == value_) {
        run_ = std::min(run_ + 1, longest_run);
    } else {
        const double ended = run_;
        second_ = std::max(second_, std::min(longest_, ended));
        longest_ = std::max(longest_, ended);
        if (run_ > 0) runs_ = std::min(runs_ + 1, runs_to_judge);
        value_ = value;
        run_ = 1;
    }
    const double frozen = std::max(least_frozen, beyond_usual * second_);
    if (runs_ < runs_to_judge || run_ < frozen || run_ >= new_state * frozen) return 0.0;
    return 1.0 - 0.5 * frozen / run_;
}

void FrozenValue::restored() const {
    if (!std::isfinite(value_)) throw StateError("the value that stands still is not finite");
    if (run_ > longest_run || runs_ > runs_to_judge) throw StateError("there are more runs of equal values than are counted");
    if (!(second_ >= 0.0 && second_ <= longest_ && longest_ <= longest_run))
        throw StateError("the longest runs of equal values are out of range");
}

}  // namespace htmengine
