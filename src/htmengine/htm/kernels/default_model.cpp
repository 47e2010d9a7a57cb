#include "default_model.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "portable_math.hpp"

namespace htmengine {

namespace {

constexpr double alarm = 0.5;             // on the log scale: 0.99999
constexpr double furthest_value = 1e300;  // differences and ranges of such values are still finite
constexpr double ln_10 = 2.302585092994046;

// A changed pattern: what is left of its score below an alarm, and of what lies above one.
constexpr double share_below_alarm = 0.4;
constexpr double share_above_alarm = 0.1;

// The fitted tails of deviations are careful: on calm data their 4 digits are about 5 (benchmarks/calibration).
constexpr double certain_digits = 3.0;
constexpr double stretch = 1.7;

/// The log scale of so many digits of certainty, without an end: 0.5 at 5 digits, 1 at infinitely many.
double graded(double digits) { return digits <= 5.0 ? 0.1 * std::max(digits, 0.0) : 1.0 - 2.5 / digits; }

double digits_of(double probability) {
    // Where a double has no smaller number left, there are 300 digits.
    return -portable::log(std::max(probability, 1e-300)) / ln_10;
}

double stretched(double digits) {
    return digits <= certain_digits ? digits : certain_digits + stretch * (digits - certain_digits);
}

/// The combined score, before damping: of a changed pattern and of a single record's deviation.
double combined(double pattern, double deviation) {
    const double ranked = pattern < alarm ? share_below_alarm * pattern : alarm + share_above_alarm * (pattern - alarm);
    return std::max(ranked, deviation);
}

}  // namespace

DefaultModel::DefaultModel(ValueScale scale, HashEncoder encoder, TransitionMemory memory, Novelty novelty,
                           Deviation deviation, Likelihood sequence_likelihood, Likelihood jump_likelihood,
                           const CombinationParameters& combination)
    : combination_(combination),
      scale_(std::move(scale)),
      encoder_(std::move(encoder)),
      memory_(std::move(memory)),
      novelty_(std::move(novelty)),
      deviation_(std::move(deviation)),
      sequence_likelihood_(std::move(sequence_likelihood)),
      jump_likelihood_(std::move(jump_likelihood)),
      since_alarm_(combination.quiet_records) {
    if (encoder_.parameters().columns != memory_.parameters().columns)
        throw std::invalid_argument("encoder and memory must have the same number of columns");
    if (!(combination.damping >= 0.0 && combination.damping <= 1.0))
        throw std::invalid_argument("damping must be from 0 to 1");
    if (combination.channels > all_channels) throw std::invalid_argument("channels must be a set of the four channels");
}

Scores DefaultModel::score(double timestamp, double given_value, Stopwatch& watch) {
    const Sample sample{timestamp, std::min(std::max(given_value, -furthest_value), furthest_value)};
    if (scale_.observe(sample.value)) learn_again();
    if (scale_.settled()) {
        young_ = {};
    } else {
        young_.push_back(sample);
    }

    Scores scores;
    scores.raw = surprise(sample, watch);
    const Novelty::Score novelty = novelty_.update(sample.value);
    const Deviation::Score deviated = deviation_.update(sample.value);
    watch.lap(2);
    sequence_likelihood_.update(scores.raw, sample.value);
    jump_likelihood_.update(novelty.jump, sample.value);
    scores.sequence = counts(sequence_channel) ? graded(digits_of(sequence_likelihood_.latest_tail())) : 0.0;
    const double jump = counts(jump_channel) ? graded(digits_of(jump_likelihood_.latest_tail())) : 0.0;
    const double extreme = counts(extreme_channel) ? novelty.extreme : 0.0;
    const double deviation = counts(deviation_channel) ? graded(stretched(deviated.largest())) : 0.0;
    const double pattern = std::max(jump, extreme);
    scores.novelty = std::max(pattern, deviation);
    scores.log = damped(combined(std::max(scores.sequence, pattern), deviation));
    scores.anomaly = likelihood_of_log(scores.log);
    watch.lap(3);
    return scores;
}

/// At a new resolution every bucket means another value: what was learned at the old one is void. As long as all past
/// samples are at hand, they are learned again, as if the resolution had been this one from the beginning.
void DefaultModel::learn_again() {
    memory_ = TransitionMemory(memory_.parameters());
    if (classifier_) classifier_->forget();
    if (young_.empty()) return;
    sequence_likelihood_ = Likelihood(sequence_likelihood_.parameters());
    Stopwatch off;
    for (const Sample& sample : young_) sequence_likelihood_.update(surprise(sample, off), sample.value);
}

/// How much of a sample the memory did not foresee; the memory learns it.
double DefaultModel::surprise(const Sample& sample, Stopwatch& watch) {
    encoder_.encode(sample.timestamp, scale_.steps(sample.value), columns_);
    watch.lap(0);
    const double raw = memory_.compute(columns_);
    watch.lap(1);
    return raw;
}

Model::Pattern DefaultModel::pattern(double value) const {
    constexpr double furthest_bucket = 1e15;
    const double bucket = std::floor(scale_.steps(std::min(std::max(value, -furthest_value), furthest_value)));
    return {columns_, static_cast<std::int64_t>(std::min(std::max(bucket, -furthest_bucket), furthest_bucket))};
}

/// One incident is one alarm: what follows it at once is damped, so that order is kept but no new alarm comes.
double DefaultModel::damped(double log_score) {
    const bool quiet = since_alarm_ < combination_.quiet_records;
    since_alarm_ = log_score >= alarm ? 1 : std::min(since_alarm_ + 1, combination_.quiet_records);
    return quiet ? combination_.damping * log_score : log_score;
}

void DefaultModel::restored() {
    if (classifier_) classifier_->restored();
    scale_.restored();
    memory_.restored();
    novelty_.restored();
    deviation_.restored();
    sequence_likelihood_.restored();
    jump_likelihood_.restored();
    if (since_alarm_ > combination_.quiet_records) throw StateError("more quiet records than the parameters allow");
}

}  // namespace htmengine
