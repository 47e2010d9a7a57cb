#include "default/alarm_size.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "default/log_bins.hpp"
#include "common/parameter_checks.hpp"
#include "common/portable_math.hpp"
#include "common/state.hpp"

namespace htmengine {

namespace {

constexpr double usual_share = 0.01;
constexpr double least_rare = 2.5;         // records that the far end of the tail is laid through
constexpr double most_rare = 0.25;         // share of all records that these are at most
constexpr double common_to_rare = 2.5;     // at least so many times as many at its near end
constexpr std::uint64_t young = 200;       // sizes up to which fits come often
constexpr std::uint64_t young_refit = 10;  // sizes between these
constexpr std::size_t bins_of_still = 4 * log_bins::per_octave;  // sizes below an eighth
constexpr std::uint64_t most_still = 3;    // a metric varies when at most one in so many of its sizes is so small
constexpr std::uint64_t first_fading = 256;
constexpr int longest_run = 4;             // alarms in a row after which each further one counts the same
constexpr std::uint32_t longest_memory = 100'000'000;  // the counts stay within 32 bits

}  // namespace

AlarmSize::AlarmSize(const AlarmSizeParameters& parameters)
    : parameters_(parameters), counts_(log_bins::count, 0), usual_(std::numeric_limits<double>::quiet_NaN()) {
    const auto& p = parameters;
    if (!(p.rare_share > 0.0 && p.rare_share < p.common_share && p.common_share < 1.0))
        throw std::invalid_argument("rare_share and common_share must ascend between 0 and 1");
    require(p.odds > 0.0 && p.odds < p.rare_share, "odds must be above 0 and below rare_share", p.odds);
    if (!(p.caution > 0.0 && p.recurring_factor > 0.0 && p.recurring_limit >= 1.0 && p.least > 0.0))
        throw std::invalid_argument(
            "caution, recurring_factor and least must be above 0, recurring_limit at least 1");
    require(p.recurring_share > 0.0 && p.recurring_share < 1.0, "recurring_share must be between 0 and 1",
            p.recurring_share);
    require(p.recurring_support > 0.0, "recurring_support must be above 0", p.recurring_support);
    if (p.refit < 1 || p.probation < 1 || p.memory < 1 || p.memory > longest_memory)
        throw std::invalid_argument("refit, probation and memory must be at least 1, memory at most 100 million");
}

void AlarmSize::learn(double size) {
    ++sizes_;
    const bool alarms = varies_ && size >= (size_ > 0.0 ? size_ : parameters_.least);
    const std::uint32_t weight = alarms ? log_bins::weight >> run_ : log_bins::weight;
    run_ = static_cast<std::uint8_t>(alarms ? std::min(run_ + 1, longest_run) : 0);
    counts_[log_bins::bin_of(std::min(size, highest))] += weight;
    total_ += weight;
    // What a metric did while it was young, when little was expected of it, fades as it grows up.
    const bool doubled = sizes_ >= first_fading && (sizes_ & (sizes_ - 1)) == 0 && sizes_ < parameters_.memory;
    if (doubled) fade(7, 10);
    if (total_ > std::uint64_t{log_bins::weight} * parameters_.memory) fade(1, 2);
    if (sizes_ >= parameters_.probation && sizes_ % (sizes_ < young ? young_refit : parameters_.refit) == 0) fit();
}

/// The size that records of this weight exceed, within its bin as if they were spread evenly; 0 if all do.
double AlarmSize::exceeded_by(double weight) const {
    double above = 0.0;
    for (std::size_t bin = log_bins::count; bin > 0; --bin) {
        const double count = counts_[bin - 1];
        if (above + count >= weight && count > 0.0) {
            const double upper = log_bins::lower_edge(bin);
            return upper - (weight - above) / count * (upper - log_bins::lower_edge(bin - 1));
        }
        above += count;
    }
    return 0.0;
}

void AlarmSize::fade(std::uint32_t kept, std::uint32_t of) {
    total_ = 0;
    for (std::uint32_t& count : counts_) {
        count = static_cast<std::uint32_t>(std::uint64_t{count} * kept / of);
        total_ += count;
    }
}

void AlarmSize::fit() {
    const auto& p = parameters_;
    const double total = static_cast<double>(total_);
    const double record = log_bins::weight;
    const double rare = std::max(p.rare_share * total, std::min(least_rare * record, most_rare * total));
    const double common = std::max(p.common_share * total, common_to_rare * rare);
    const double far = exceeded_by(rare);
    const double near = exceeded_by(common);
    const double tail = far + (far - near) / portable::log(common / rare) * portable::log(rare / total / p.odds);
    double size = p.caution * tail;
    if (total >= 4.0 * p.recurring_support * record) {
        const double recurring = exceeded_by(std::max(p.recurring_share * total, p.recurring_support * record));
        size = std::max(size, std::min(p.recurring_factor * recurring, p.recurring_limit * size));
    }
    size_ = std::max(size, p.least);
    const double records = sizes_ <= young ? young_refit : p.refit;  // since the last fit
    const double share = std::min(records / static_cast<double>(sizes_), 1.0);
    typical_ = typical_ > 0.0 ? typical_ * portable::exp(share * portable::log(size_ / typical_)) : size_;
    std::uint64_t still = 0;
    for (std::size_t bin = 0; bin < bins_of_still; ++bin) still += counts_[bin];
    varies_ = most_still * still <= total_;
    usual_ = exceeded_by(usual_share * total);
}

void AlarmSize::restored() const {
    if (counts_.size() != log_bins::count) throw StateError("the counts of sizes have another size");
    std::uint64_t total = 0;
    for (const std::uint32_t count : counts_) total += count;
    if (total != total_) throw StateError("the counts of sizes do not add up");
    if (size_ != 0.0 && !(size_ >= parameters_.least && std::isfinite(size_)))
        throw StateError("the size of an alarm is out of range");
    if (!(typical_ >= 0.0 && std::isfinite(typical_))) throw StateError("the typical size of an alarm is out of range");
    if (usual_ < 0.0 || std::isinf(usual_)) throw StateError("the usual size is out of range");
    if (varies_ > 1) throw StateError("the mark of a metric that varies is neither 0 nor 1");
    if (run_ > longest_run) throw StateError("a run of alarms is longer than runs are counted");
}

}  // namespace htmengine
