#include "default/odds.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "default/log_bins.hpp"
#include "common/portable_math.hpp"
#include "common/state.hpp"

namespace htmengine {

using log_bins::lower_edge;
using log_bins::weight;

namespace {

// The group of the findings: where its bins begin, and the last one ends; those of equal ratio from 1 to 1.5 are theirs.
constexpr std::array<double, 5> edges = {1.0, 1.16, 1.2, 1.25, 1.49};
constexpr std::size_t bins = 4;
constexpr std::size_t first_bin = 7 * log_bins::per_octave;
constexpr std::size_t beyond_bins = first_bin + bins;

// What calm metrics show.
constexpr std::array<double, bins> usual_shares = {0.35, 0.4, 0.2, 0.05};  // of the findings, per bin
constexpr double shares_weigh = 4.0;       // findings
constexpr double usual_interval = 1600.0;  // records for each finding
constexpr double interval_weighs = 1.0;    // finding
constexpr double highest_scale = 0.03;     // the excesses in the highest bin fall off exponentially

constexpr double unseen = 0.06;  // records that a metric has not shown yet, from the group on
constexpr std::uint64_t least_beyond = 16;  // records that the tail is fitted to
constexpr std::uint64_t first_fading = 256;

/// The bin of a number.
std::size_t place_of(double number) {
    if (number < edges.front() || number >= lower_edge(beyond_bins)) return log_bins::bin_of(number);
    std::size_t place = 0;
    while (place < bins && number >= edges[place + 1]) ++place;
    return first_bin + place;
}

bool of_group(std::size_t bin) { return bin >= first_bin && bin < beyond_bins; }

double records(std::uint64_t weights) { return static_cast<double>(weights) / weight; }

}  // namespace

Odds::Odds(const TailParameters& parameters) : parameters_(parameters), counts_(log_bins::count, 0) {
    Tail{parameters};  // checks them
}

double Odds::update(double number) {
    const bool known = numbers_ >= parameters_.probation;
    if (known && (!fitted() || shape_ != 0.0 || numbers_ % parameters_.refit == 0)) fit();
    const double one_in = fitted() ? 1.0 / probability(number) : std::numeric_limits<double>::quiet_NaN();
    count(number);
    return one_in;
}

double Odds::probability(double number) const {
    const double not_yet = unseen / static_cast<double>(numbers_) * std::min(1.0, edges.back() / std::max(number, 1.0));
    return std::min(1.0, of_deviations(number) + of_findings(number) + not_yet);
}

/// Probability of a deviation as high as the number.
double Odds::of_deviations(double number) const {
    if (number > threshold_) return beyond_ * portable::exp(-portable::log(number / threshold_) / exponent_);
    std::uint64_t above = 0;
    for (std::size_t bin = place_of(number); bin < log_bins::count; ++bin)
        if (!of_group(bin)) above += counts_[bin];
    return above > 0 ? static_cast<double>(above) / static_cast<double>(total_) : beyond_;
}

/// Probability of a finding as high as the number.
double Odds::of_findings(double number) const {
    if (number >= edges.back()) return 0.0;
    std::uint64_t weights = 0;
    for (std::size_t bin = 0; bin < bins; ++bin) weights += counts_[first_bin + bin];
    const double findings = records(weights);
    const double rate = (findings + interval_weighs) / (records(total_) + usual_interval * interval_weighs);
    if (number < edges.front()) return rate;
    const auto share = [&](std::size_t bin) {
        return (records(counts_[first_bin + bin]) + shares_weigh * usual_shares[bin]) / (findings + shares_weigh);
    };
    std::size_t own = place_of(number) - first_bin;
    if (own == bins - 1) return rate * share(own) * portable::exp((edges[own] - number) / highest_scale);
    double higher = share(own) * ((edges[own + 1] - number) / (edges[own + 1] - edges[own]));
    while (++own < bins) higher += share(own);
    return rate * higher;
}

void Odds::fit() {
    const double most = std::max(parameters_.share * static_cast<double>(total_), 1.0 * weight * least_beyond);
    std::uint64_t above = 0;
    std::size_t first = log_bins::count;
    const auto deviations = [&](std::size_t bin) { return of_group(bin) ? 0 : counts_[bin]; };
    while (first > 1 && static_cast<double>(above + deviations(first - 1)) <= most) above += deviations(--first);
    threshold_ = first < log_bins::count ? lower_edge(first) : Tail::highest;
    shape_ = 0.0;
    if (above == 0) {
        // Most numbers are equal, and no other is higher.
        beyond_ = static_cast<double>(weight) / static_cast<double>(total_ + weight);
        exponent_ = 1.0;
        return;
    }
    beyond_ = static_cast<double>(above) / static_cast<double>(total_);
    double ratios = 0.0;
    for (std::size_t bin = first; bin < log_bins::count; ++bin)
        if (deviations(bin) > 0)
            ratios += deviations(bin) *
                      portable::log(0.5 * (lower_edge(bin) + lower_edge(bin + 1)) / threshold_);
    exponent_ = ratios / static_cast<double>(above);
}

void Odds::count(double number) {
    ++numbers_;
    counts_[place_of(number)] += weight;
    total_ += weight;
    const bool doubled = numbers_ >= first_fading && (numbers_ & (numbers_ - 1)) == 0 && numbers_ < parameters_.memory;
    if (!doubled && total_ <= std::uint64_t{weight} * parameters_.memory) return;
    total_ = 0;
    for (std::uint32_t& count : counts_) total_ += count /= 2;
}

void Odds::restored() const {
    if (counts_.size() != log_bins::count) throw StateError("the counts of odds have another size");
    std::uint64_t total = 0;
    for (const std::uint32_t count : counts_) total += count;
    if (total != total_) throw StateError("the counts of odds do not add up");
    if (!(exponent_ >= 0.0 && shape_ >= 0.0 && threshold_ >= 0.0 && beyond_ > 0.0))
        throw StateError("odds are not a distribution");
}

}  // namespace htmengine
