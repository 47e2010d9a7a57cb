#include "default/value_scale.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "common/parameter_checks.hpp"
#include "common/state.hpp"

namespace htmengine {

namespace {

constexpr double growth_while_young = 1.25;
constexpr double growth_when_settled = 4.0;
constexpr double finest_resolution = 1e-300;

}  // namespace

ValueScale::ValueScale(const ValueScaleParameters& parameters)
    : parameters_(parameters), known_(!std::isnan(parameters.minimum)) {
    require(parameters.buckets >= 1, "buckets must be at least 1", parameters.buckets);
    require(parameters.padding >= 0.0, "padding must be at least 0", parameters.padding);
    if (known_ != !std::isnan(parameters.maximum))
        throw std::invalid_argument("give both minimum and maximum, or neither");
    if (!known_) return;
    const double range = parameters.maximum - parameters.minimum;
    if (!(range > 0.0) || !std::isfinite(range))
        throw std::invalid_argument("maximum must be above minimum and their difference finite");
    resolution_ = resolution_of(range);
}

bool ValueScale::observe(double value) {
    lowest_ = count_ == 0 ? value : std::min(lowest_, value);
    highest_ = count_ == 0 ? value : std::max(highest_, value);
    ++count_;
    if (known_) return false;
    if (!(highest_ > lowest_)) return false;
    const bool checkpoint = (count_ & (count_ - 1)) == 0;
    if (resolution_ > 0.0 && !checkpoint) return false;
    const double wanted = resolution_of(highest_ - lowest_);
    const double enough = count_ <= values_to_settle ? growth_while_young : growth_when_settled;
    if (!(wanted > enough * resolution_)) return false;
    resolution_ = wanted;
    return true;
}

double ValueScale::resolution_of(double range) const {
    return std::max((1.0 + 2.0 * parameters_.padding) * range / parameters_.buckets, finest_resolution);
}

void ValueScale::restored() const {
    if (!(resolution_ >= 0.0) || !std::isfinite(resolution_))
        throw StateError("the resolution is negative or not finite");
}

}  // namespace htmengine
