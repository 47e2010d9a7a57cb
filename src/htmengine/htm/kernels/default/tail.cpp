#include "default/tail.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "default/log_bins.hpp"
#include "common/parameter_checks.hpp"
#include "common/portable_math.hpp"
#include "common/state.hpp"

namespace htmengine {

using log_bins::bin_of;
using log_bins::lower_edge;
using log_bins::weight;

namespace {

constexpr std::uint32_t longest_memory = 100'000'000;  // the counts stay within 32 bits
constexpr double ln_10 = 2.302585092994046;
constexpr double exponential = 1e-6;  // a shape below this is no shape

double digits_of(double probability) { return -portable::log(probability) / ln_10; }

}  // namespace

Tail::Tail(const TailParameters& parameters) : parameters_(parameters), counts_(log_bins::count, 0) {
    require(parameters.share > 0.0 && parameters.share < 1.0, "share must be above 0 and below 1", parameters.share);
    if (parameters.memory < 1 || parameters.refit < 1 || parameters.probation < 1)
        throw std::invalid_argument("memory, refit and probation of a tail must be at least 1");
    require(parameters.memory <= longest_memory, "memory of a tail must be at most 100 million", parameters.memory);
    require(parameters.heaviest >= 0.0 && parameters.heaviest < 1.0,
            "heaviest must be at least 0 and below 1", parameters.heaviest);
    require(parameters.outlier > 0.0, "outlier must be above 0", parameters.outlier);
}

double Tail::update(double number) {
    const std::uint64_t probation = parameters_.probation;
    if (numbers_ >= probation && (scale_ == 0.0 || numbers_ % parameters_.refit == 0)) fit();
    const double found = rarity(number);
    // Neither does one outlier make the tail so heavy that the next is not seen, nor a first fit to few numbers cut
    // what is usual.
    const bool cut = scale_ > 0.0 && numbers_ >= 2 * probation;
    count(cut ? std::min(number, threshold_ + parameters_.outlier * scale_) : number);
    return found;
}

double Tail::exceeded(double probability) const {
    if (scale_ == 0.0) return std::numeric_limits<double>::quiet_NaN();
    if (probability >= beyond_) return threshold_;
    const double e_folds = portable::log(beyond_ / probability);
    const double excess = shape_ > exponential ? (portable::exp(shape_ * e_folds) - 1.0) / shape_ : e_folds;
    return threshold_ + scale_ * excess;
}

double Tail::digits(double number) const {
    if (number <= threshold_) {
        std::uint64_t above = 0;
        for (std::size_t bin = bin_of(number); bin < log_bins::count; ++bin) above += counts_[bin];
        return above > 0 ? digits_of(static_cast<double>(above) / static_cast<double>(total_)) : digits_of(beyond_);
    }
    const double excess = (number - threshold_) / scale_;
    const double e_folds = shape_ > exponential ? portable::log(1.0 + shape_ * excess) / shape_ : excess;
    return digits_of(beyond_) + e_folds / ln_10;
}

void Tail::fit() {
    const double most = parameters_.share * static_cast<double>(total_);
    std::uint64_t above = 0;
    std::size_t first = log_bins::count;
    while (first > 1 && static_cast<double>(above + counts_[first - 1]) <= most) above += counts_[--first];
    threshold_ = first < log_bins::count ? lower_edge(first) : highest;
    if (above == 0) {
        // Most numbers are equal, and no other is higher.
        beyond_ = static_cast<double>(weight) / static_cast<double>(total_ + weight);
        shape_ = 1.0;
        scale_ = std::max(threshold_, 1.0);
        return;
    }
    const double count = static_cast<double>(above);
    beyond_ = count / static_cast<double>(total_);
    double mean = 0.0;
    double squares = 0.0;
    for (std::size_t bin = first; bin < log_bins::count; ++bin) {
        if (counts_[bin] == 0) continue;
        const double excess = 0.5 * (lower_edge(bin) + lower_edge(bin + 1)) - threshold_;
        mean += counts_[bin] * excess;
        squares += counts_[bin] * excess * excess;
    }
    mean /= count;
    const double variance = std::max(squares / count - mean * mean, 1e-12);
    const double shape = std::min(std::max(0.5 * (1.0 - mean * mean / variance), 0.0), parameters_.heaviest);
    scale_ = mean * (1.0 - shape);
    // A scale known from k numbers only makes the tail heavier, by 1/k.
    shape_ = shape + weight / count;
}

void Tail::count(double number) {
    ++numbers_;
    counts_[bin_of(number)] += weight;
    total_ += weight;
    if (total_ <= std::uint64_t{weight} * parameters_.memory) return;
    total_ = 0;
    for (std::uint32_t& count : counts_) total_ += count /= 2;
}

void Tail::restored() const {
    if (counts_.size() != log_bins::count) throw StateError("the counts of a tail have another size");
    std::uint64_t total = 0;
    for (const std::uint32_t count : counts_) total += count;
    if (total != total_) throw StateError("the counts of a tail do not add up");
    if (!(scale_ >= 0.0 && shape_ >= 0.0 && threshold_ >= 0.0 && beyond_ > 0.0))
        throw StateError("a tail is not a distribution");
}

}  // namespace htmengine
