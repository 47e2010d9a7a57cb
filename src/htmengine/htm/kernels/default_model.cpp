#include "default_model.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace htmengine {

namespace {

constexpr double alarm = 0.5;            // on the log scale: 0.99999
constexpr double furthest_value = 1e300; // differences and ranges of such values are still finite

}  // namespace

DefaultModel::DefaultModel(ValueScale scale, HashEncoder encoder, TransitionMemory memory, Novelty novelty,
                           Likelihood sequence_likelihood, Likelihood jump_likelihood,
                           const DampingParameters& damping)
    : damping_(damping),
      scale_(std::move(scale)),
      encoder_(std::move(encoder)),
      memory_(std::move(memory)),
      novelty_(std::move(novelty)),
      sequence_likelihood_(std::move(sequence_likelihood)),
      jump_likelihood_(std::move(jump_likelihood)),
      since_alarm_(damping.quiet_records) {
    if (encoder_.parameters().columns != memory_.parameters().columns)
        throw std::invalid_argument("encoder and memory must have the same number of columns");
    if (!(damping.factor >= 0.0 && damping.factor <= 1.0))
        throw std::invalid_argument("the damping factor must be from 0 to 1");
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
    watch.lap(2);
    scores.sequence = log_likelihood(sequence_likelihood_.update(scores.raw, sample.value));
    scores.novelty =
        std::max(log_likelihood(jump_likelihood_.update(novelty.jump, sample.value)), novelty.extreme);
    scores.log = damped(std::max(scores.sequence, scores.novelty));
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
    const bool quiet = since_alarm_ < damping_.quiet_records;
    since_alarm_ = log_score >= alarm ? 1 : std::min(since_alarm_ + 1, damping_.quiet_records);
    return quiet ? damping_.factor * log_score : log_score;
}

void DefaultModel::restored() {
    if (classifier_) classifier_->restored();
    scale_.restored();
    memory_.restored();
    novelty_.restored();
    sequence_likelihood_.restored();
    jump_likelihood_.restored();
    if (since_alarm_ > damping_.quiet_records) throw StateError("more quiet records than the parameters allow");
}

}  // namespace htmengine
