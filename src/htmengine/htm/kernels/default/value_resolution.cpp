#include "default/value_resolution.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "common/parameter_checks.hpp"
#include "common/state.hpp"

namespace htmengine {

namespace {

constexpr double growth_while_young = 1.25;
constexpr double fall_while_young = 1.6;
constexpr double growth_when_settled = 4.0;
constexpr double most_growth = 8.0;          // ranges by which a settled one grows at once
constexpr double far_outside = 1.5;          // ranges beyond a settled one that are far outside
constexpr std::uint64_t values_of_bulk = 8;  // from which on some may be wild
constexpr double finest_resolution = 1e-300;

struct Range {
    double low;
    double high;
};

/// The range of the values but for the few at each end that lie further from all others than these from each other.
Range bulk_of(const std::vector<PastSample>& samples, double share) {
    std::vector<double> values;
    values.reserve(samples.size());
    for (const PastSample& sample : samples) values.push_back(sample.value);
    std::sort(values.begin(), values.end());
    const std::size_t count = values.size();
    const auto few = static_cast<std::size_t>(share * static_cast<double>(count));
    std::size_t first = std::min(std::max<std::size_t>(few, 1), count / 4);
    std::size_t last = count - 1 - first;
    for (bool grown = true; grown;) {
        grown = false;
        const double width = values[last] - values[first];
        if (width > 0.0 && first > 0 && values[first] - values[first - 1] <= width) {
            --first;
            grown = true;
        }
        const double wider = values[last] - values[first];
        if (wider > 0.0 && last + 1 < count && values[last + 1] - values[last] <= wider) {
            ++last;
            grown = true;
        }
    }
    if (values[last] > values[first]) return {values[first], values[last]};
    return {values.front(), values.back()};
}

bool is_power_of_two(std::uint64_t number) { return (number & (number - 1)) == 0; }

}  // namespace

ValueResolution::ValueResolution(const ValueResolutionParameters& parameters)
    : parameters_(parameters), known_(!std::isnan(parameters.minimum)) {
    require(parameters.buckets >= 1, "buckets must be at least 1", parameters.buckets);
    require(parameters.padding >= 0.0, "padding must be at least 0", parameters.padding);
    require(parameters.wild_share >= 0.0 && parameters.wild_share < 0.25,
            "wild_share must be at least 0 and below a quarter", parameters.wild_share);
    if (known_ != !std::isnan(parameters.maximum))
        throw std::invalid_argument("give both minimum and maximum, or neither");
    if (!known_) return;
    const double range = parameters.maximum - parameters.minimum;
    if (!(range > 0.0) || !std::isfinite(range))
        throw std::invalid_argument("maximum must be above minimum and their difference finite");
    resolution_ = resolution_of(range);
}

bool ValueResolution::observe(double value, const std::vector<PastSample>& young) {
    lowest_ = count_ == 0 ? value : std::min(lowest_, value);
    highest_ = count_ == 0 ? value : std::max(highest_, value);
    ++count_;
    if (known_) return false;
    return count_ <= values_to_settle ? observe_young(young) : observe_settled(value);
}

bool ValueResolution::observe_young(const std::vector<PastSample>& young) {
    if (!(highest_ > lowest_)) return false;
    if (resolution_ > 0.0 && !is_power_of_two(count_)) return false;
    const Range bulk = count_ < values_of_bulk ? Range{lowest_, highest_} : bulk_of(young, parameters_.wild_share);
    bulk_low_ = bulk.low;
    bulk_high_ = bulk.high;
    const double wanted = resolution_of(bulk.high - bulk.low);
    if (wanted <= growth_while_young * resolution_ && wanted >= resolution_ / fall_while_young) return false;
    resolution_ = wanted;
    return true;
}

bool ValueResolution::observe_settled(double value) {
    if (resolution_ == 0.0) {  // a constant moves for the first time
        if (!(highest_ > lowest_)) return false;
        bulk_low_ = lowest_;
        bulk_high_ = highest_;
        resolution_ = resolution_of(highest_ - lowest_);
        return true;
    }
    const double width = bulk_high_ - bulk_low_;
    ++looked_at_;
    if (value > bulk_high_ + far_outside * width || value < bulk_low_ - far_outside * width) ++outside_;
    if (!is_power_of_two(count_)) return false;
    const bool moved = static_cast<double>(outside_) > parameters_.wild_share * static_cast<double>(looked_at_);
    outside_ = looked_at_ = 0;
    if (!moved) return false;
    const double grown = std::min(highest_ - lowest_, most_growth * width);
    const double wanted = resolution_of(grown);
    if (!(wanted > growth_when_settled * resolution_)) return false;
    resolution_ = wanted;
    bulk_low_ = std::max(lowest_, bulk_low_ - grown);
    bulk_high_ = std::min(highest_, bulk_high_ + grown);
    return true;
}

double ValueResolution::resolution_of(double range) const {
    return std::max((1.0 + 2.0 * parameters_.padding) * range / parameters_.buckets, finest_resolution);
}

void ValueResolution::restored() const {
    if (!(resolution_ >= 0.0) || !std::isfinite(resolution_))
        throw StateError("the resolution is negative or not finite");
}

}  // namespace htmengine
