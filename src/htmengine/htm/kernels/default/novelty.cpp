#include "default/novelty.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "common/parameter_checks.hpp"

namespace htmengine {

namespace {

// The running mean and the range need some values before they say anything.
constexpr std::uint64_t values_before_jumps = 3;
constexpr std::uint64_t values_before_extremes = 100;

}  // namespace

Novelty::Novelty(const NoveltyParameters& parameters) : parameters_(parameters) {
    require(parameters.jump_rate > 0.0 && parameters.jump_rate <= 1.0,
            "jump_rate must be above 0 and at most 1", parameters.jump_rate);
    require(parameters.jump_limit > 0.0, "jump_limit must be above 0", parameters.jump_limit);
    require(parameters.range_memory >= 1.0, "range_memory must be at least 1", parameters.range_memory);
    require(parameters.range_settling >= 0.0, "range_settling must be at least 0", parameters.range_settling);
    if (!(parameters.range_tolerance >= 0.0 && parameters.range_saturation > parameters.range_tolerance))
        throw std::invalid_argument("range_tolerance must be at least 0 and below range_saturation");
}

Novelty::Score Novelty::update(double value) {
    const Score score{jump_score(value), extreme_score(value)};
    last_ = value;
    ++count_;
    return score;
}

double Novelty::jump_score(double value) {
    if (count_ == 0) return 0.0;
    const double jump = std::fabs(value - last_);
    const double limit = parameters_.jump_limit;
    const double score = jump > 0.0 && count_ >= values_before_jumps ? std::min(jump / mean_jump_, limit) / limit : 0.0;
    // At first the plain mean of all jumps, then a mean that forgets.
    const double rate = std::max(parameters_.jump_rate, 1.0 / static_cast<double>(count_));
    const double counted = mean_jump_ > 0.0 ? std::min(jump, limit * mean_jump_) : jump;
    mean_jump_ += rate * (counted - mean_jump_);
    return score;
}

double Novelty::extreme_score(double value) {
    if (count_ == 0) {
        low_ = high_ = value;
        return 0.0;
    }
    const double width = high_ - low_;
    double score = 0.0;
    if (width > 0.0 && count_ >= values_before_extremes) {
        const double outside = std::max(value - high_, low_ - value) / width;
        // The range of few values is easily exceeded.
        const double unsettled = std::max(parameters_.range_settling / static_cast<double>(count_), 1.0);
        const double tolerance = unsettled * parameters_.range_tolerance;
        const double saturation = std::max(parameters_.range_saturation, 2.0 * tolerance);
        if (outside > tolerance)
            score = 0.5 + 0.5 * std::min((outside - tolerance) / (saturation - tolerance), 1.0);
    }
    // Old extremes fade towards the present value.
    const double rate = 1.0 / parameters_.range_memory;
    low_ = std::min(value, low_ + rate * (value - low_));
    high_ = std::max(value, high_ - rate * (high_ - value));
    return score;
}

}  // namespace htmengine
