#include "common/likelihood.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>

#include "common/parameter_checks.hpp"
#include "common/portable_math.hpp"
#include "common/state.hpp"

namespace htmengine {

namespace {

template <class T>
void keep_last(std::vector<T>& items, std::uint64_t count) {
    if (items.size() > count) items.erase(items.begin(), items.end() - static_cast<std::ptrdiff_t>(count));
}

// The distribution under which everything is about as likely as not.
constexpr double null_mean = 0.5;
constexpr double null_deviation = 1000.0;

// Tails at or below the first are red; the filter raises them to the second.
constexpr double red = 1.0 - 0.99999;
constexpr double yellow = 1.0 - 0.999;

// The original's square root of 2.
constexpr double sqrt_two = 1.4142;

// Keeps the logarithm of certainty finite: its logarithm is `log_of_certainty`.
constexpr double just_above_one = 1.0000000001;
constexpr double log_of_certainty = -23.02585084720009;

constexpr double surprising = 0.99;
constexpr std::uint64_t least_records_between_fits = 3;

}  // namespace

double tail_probability(double x, double mean, double deviation, bool two_sided) {
    const double distance = x < mean ? (2.0 * mean - x) - mean : x - mean;
    const double beyond = 0.5 * portable::erfc(distance / deviation / sqrt_two);
    return x < mean && !two_sided ? 1.0 - beyond : beyond;
}

double filtered_tail(double tail, double previous) { return tail <= red && previous <= red ? yellow : tail; }

double log_likelihood(double likelihood) {
    const double scaled = portable::log(just_above_one - likelihood) / log_of_certainty;
    return std::min(1.0, std::max(0.0, scaled));
}

double likelihood_of_log(double log_likelihood) {
    const double likelihood = just_above_one - portable::exp(log_likelihood * log_of_certainty);
    return std::min(1.0, std::max(0.0, likelihood));
}

void Likelihood::Moments::add(double x, double count_with_x) {
    const double delta = x - mean;
    mean += delta / count_with_x;
    squares += delta * (x - mean);
}

std::array<std::uint64_t, 2> Likelihood::Moments::bits_beyond(const Moments& other) const {
    const std::array<double, 2> own{mean, squares}, others{other.mean, other.squares};
    std::array<std::uint64_t, 2> bits, other_bits;
    std::memcpy(bits.data(), own.data(), sizeof bits);
    std::memcpy(other_bits.data(), others.data(), sizeof other_bits);
    return {bits[0] ^ other_bits[0], bits[1] ^ other_bits[1]};
}

Likelihood::Moments Likelihood::Moments::with_bits(const std::array<std::uint64_t, 2>& bits) const {
    std::array<double, 2> found{mean, squares};
    std::array<std::uint64_t, 2> own;
    std::memcpy(own.data(), found.data(), sizeof own);
    own = {own[0] ^ bits[0], own[1] ^ bits[1]};
    std::memcpy(found.data(), own.data(), sizeof found);
    return {found[0], found[1]};
}

void Likelihood::Moments::merge(const Moments& other, double count, double other_count) {
    if (count == 0.0) {
        *this = other;
        return;
    }
    const double delta = other.mean - mean;
    const double share = other_count / (count + other_count);
    mean += delta * share;
    squares += other.squares + delta * delta * (count * share);
}

Likelihood::Likelihood(const LikelihoodParameters& parameters) : parameters_(parameters) {
    const LikelihoodParameters& p = parameters_;
    require(p.averaging_window >= 1, "averaging_window must be at least 1", p.averaging_window);
    require(p.refit >= p.averaging_window, "refit must not be below averaging_window", p.refit);
    require(p.history > p.learning, "history must be above learning", p.history);
    require(p.history >= p.averaging_window, "history must not be below averaging_window", p.history);
    require(p.probation >= 1 && p.probation <= p.history, "probation must be between 1 and history", p.probation);
    require(p.mean_floor >= 0.0 && p.mean_floor <= 1.0, "mean_floor must be between 0 and 1", p.mean_floor);
    require(p.variance_floor > 0.0 && p.variance_floor <= 1.0, "variance_floor must be above 0 and at most 1",
            p.variance_floor);
    require(p.flat_variance >= 0.0, "flat_variance must not be negative", p.flat_variance);

    const bool engine = p.schedule == LikelihoodSchedule::engine;
    skipped_ = engine ? p.learning : 0;
    span_ = p.history - skipped_;
    // Scheduled fits come at these records, and the part of the window that they use, `span_` records long,
    // must then begin at the edge of a block.
    const std::uint32_t phase = engine ? p.probation : 0;
    block_offset_ = (span_ % p.refit + p.refit - phase % p.refit) % p.refit;
    recent_.assign(p.averaging_window, 0.0);
}

double Likelihood::update(double raw, double value) {
    const bool fit_due = parameters_.schedule == LikelihoodSchedule::engine ? records_ >= last_fit_ + parameters_.refit
                                                                            : records_ % parameters_.refit == 0;
    return score(raw, value, fit_due);
}

void Likelihood::update_series(Span<const double> raws, Span<const double> values, Span<double> likelihoods) {
    for (std::size_t i = 0; i < raws.size(); ++i) likelihoods[i] = update(raws[i], values[i]);
}

void Likelihood::update_batch(Span<const double> raws, Span<const double> values, Span<double> likelihoods) {
    if (parameters_.schedule != LikelihoodSchedule::engine) return update_series(raws, values, likelihoods);
    const auto interval =
        static_cast<std::uint64_t>(std::max<double>(parameters_.refit, 0.1 * static_cast<double>(raws.size())));
    bool surprised = false;
    for (std::size_t i = 0; i < raws.size(); ++i) {
        likelihoods[i] = score(raws[i], values[i], surprised || records_ >= last_fit_ + interval);
        surprised = likelihoods[i] > surprising && records_ > last_fit_ + least_records_between_fits;
    }
}

double Likelihood::score(double raw, double value, bool fit_due) {
    if (records_ < parameters_.probation) {
        add(raw, value);
        return parameters_.schedule == LikelihoodSchedule::engine ? 0.0 : 0.5;
    }
    if (!fitted() || fit_due) fit();
    const double tail = tail_probability(add(raw, value), mean_, deviation_, parameters_.two_sided);
    const double counted = parameters_.red_filter ? filtered_tail(tail, previous_tail_) : tail;
    previous_tail_ = tail;
    return 1.0 - counted;
}

/// Takes a record into the window and returns the average that ends with it.
double Likelihood::add(double raw, double value) {
    const std::uint64_t record = records_;
    const std::uint64_t place = (record + block_offset_) % parameters_.refit;  // within its block
    if (place == 0 || blocks_.empty()) {
        const std::uint64_t kept = block_of(record) - first_block(record);
        keep_last(blocks_, kept);
        keep_last(value_blocks_, kept);
        blocks_.emplace_back();
        if (watches_values()) value_blocks_.emplace_back();
    }
    recent_[record % recent_.size()] = raw;
    ++records_;
    const double newest = average(recent_.size());
    if (record >= parameters_.learning) {
        Block& block = blocks_.back();
        const double count = ++block.count;
        block.averages.add(newest, count);
        block.restarted.add(average(place + 1 + skipped_), count);
        if (watches_values()) value_blocks_.back().add(value, count);
    }
    return newest;
}

/// The mean of the latest raw scores: so many, or as many as are kept or there are. Summed up from the oldest on
/// each time, as a running total would drift.
double Likelihood::average(std::uint64_t scores) const {
    const std::uint64_t window = recent_.size();
    const std::uint64_t count = std::min({scores, window, records_});
    double total = 0.0;
    for (std::uint64_t place = (records_ - count) % window, i = 0; i < count; ++i) {
        total += recent_[place];
        if (++place == window) place = 0;
    }
    return total / static_cast<double>(count);
}

void Likelihood::fit() {
    const bool slid = records_ > parameters_.history;
    const std::size_t first = blocks_.size() - 1 - (block_of(records_ - 1) - first_block(records_));
    double count = 0.0;
    Moments averages, values;
    for (std::size_t i = first; i < blocks_.size(); ++i) {
        const Block& block = blocks_[i];
        if (block.count == 0) continue;
        averages.merge(i == first && slid ? block.restarted : block.averages, count, block.count);
        if (watches_values()) values.merge(value_blocks_[i], count, block.count);
        count += block.count;
    }
    // Values so large that their moments overflow are not flat.
    const bool flat = count == 0.0 || (watches_values() && values.squares / count < parameters_.flat_variance);
    mean_ = flat ? null_mean : std::max(averages.mean, parameters_.mean_floor);
    deviation_ = flat ? null_deviation : std::sqrt(std::max(averages.squares / count, parameters_.variance_floor));
    previous_tail_ = tail_probability(average(recent_.size()), mean_, deviation_, parameters_.two_sided);
    last_fit_ = records_;
}

std::uint64_t Likelihood::block_of(std::uint64_t record) const { return (record + block_offset_) / parameters_.refit; }

/// The block in which a fit after so many records begins.
std::uint64_t Likelihood::first_block(std::uint64_t records) const {
    return block_of(records > span_ ? records - span_ : 0);
}

void Likelihood::restored() const {
    if (recent_.size() != parameters_.averaging_window) throw StateError("the averaging window has another size");
    if (last_fit_ > records_) throw StateError("the last fit lies in the future");
    std::uint64_t expected = 0;
    if (records_ > 0) {
        const std::uint64_t last = block_of(records_ - 1);
        const std::uint64_t edge = last * parameters_.refit;
        const std::uint64_t opened = edge > block_offset_ ? edge - block_offset_ : 0;  // its first record
        expected = last - first_block(opened) + 1;
    }
    if (blocks_.size() != expected || value_blocks_.size() != (watches_values() ? expected : 0))
        throw StateError("the window has another number of blocks");

    const auto finite = [](double x) { return std::isfinite(x); };
    const auto possible = [](const Moments& moments) { return std::isfinite(moments.mean) && moments.squares >= 0.0; };
    if (!std::all_of(recent_.begin(), recent_.end(), finite)) throw StateError("a raw score is not finite");
    if (!finite(previous_tail_) || !finite(mean_) || !finite(deviation_) || deviation_ < 0.0 ||
        (fitted() && deviation_ == 0.0))
        throw StateError("the mean and deviation that were fitted are not those of a distribution");
    for (const Block& block : blocks_)
        for (const Moments* moments : {&block.averages, &block.restarted})
            if (!possible(*moments) || !finite(moments->squares))
                throw StateError("the moments of a block of averages are not those of a distribution");
    // Values may be so large that their moments overflow.
    if (!std::all_of(value_blocks_.begin(), value_blocks_.end(), possible))
        throw StateError("the moments of a block of values are not those of a distribution");
}

}  // namespace htmengine
