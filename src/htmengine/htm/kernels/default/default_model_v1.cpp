#include "default/default_model_v1.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "default/shared.hpp"
#include "common/parameter_checks.hpp"
#include "common/portable_math.hpp"

namespace htmengine {

using namespace default_shared;

namespace {

constexpr double alarm = 0.5;             // on the log scale: 0.99999
constexpr double rare_error = 0.01;        // share of the forecast's errors that exceed an explanation's margin

// A changed pattern: what is left of its score below an alarm, and of what lies above one.
constexpr double share_below_alarm = 0.4;
constexpr double share_above_alarm = 0.1;

/// What a changed pattern counts for beside a single record's deviation.
double ranked(double pattern) {
    return pattern < alarm ? share_below_alarm * pattern : alarm + share_above_alarm * (pattern - alarm);
}

}  // namespace

DefaultModelV1::DefaultModelV1(ValueScale scale, HashEncoder encoder, TransitionMemory memory, Novelty novelty,
                           Deviation deviation, Likelihood sequence_likelihood, Likelihood jump_likelihood,
                           const CombinationParametersV1& combination)
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
    require(combination.damping >= 0.0 && combination.damping <= 1.0,
            "damping must be from 0 to 1", combination.damping);
    if (combination.channels > all_channels_v1)
        throw std::invalid_argument("channels must be a set of the four channels");
}

Scores DefaultModelV1::score(double timestamp, double given_value, Stopwatch& watch) {
    const Sample sample{timestamp, std::min(std::max(given_value, -furthest_value), furthest_value)};
    if (scale_.observe(sample.value)) learn_again();
    if (scale_.settled()) {
        young_ = {};
    } else {
        young_.push_back(sample);
    }

    Verdict verdict;
    verdict.timestamp = timestamp;
    verdict.value = sample.value;
    verdict.scores.raw = surprise(sample, watch);
    const Novelty::Score novelty = novelty_.update(sample.value);
    verdict.forecast = latest_ ? deviation_.forecast() : std::numeric_limits<double>::quiet_NaN();
    verdict.usual_error = deviation_.usual_error();
    const Deviation::Score deviation = deviation_.update(sample.value);
    watch.lap(2);
    sequence_likelihood_.update(verdict.scores.raw, sample.value);
    jump_likelihood_.update(novelty.jump, sample.value);
    verdict.strengths = strengths(novelty, deviation);
    decide(verdict);
    latest_ = verdict;
    watch.lap(3);
    return verdict.scores;
}

Strengths DefaultModelV1::strengths(const Novelty::Score& novelty, const Deviation::Score& deviation) const {
    Strengths found;
    if (counts(sequence_channel_v1)) found.sequence = graded(digits_of(sequence_likelihood_.latest_tail()));
    if (counts(jump_channel_v1)) found.jump = graded(digits_of(jump_likelihood_.latest_tail()));
    if (counts(extreme_channel_v1)) found.extreme = novelty.extreme;
    if (counts(deviation_channel_v1)) {
        found.distance = graded(stretched(deviation.distance));
        found.error = graded(stretched(deviation.error));
        found.offset = graded(stretched(deviation.offset));
        found.unrest = graded(stretched(deviation.unrest));
    }
    return found;
}

/// Combines the strengths to scores. One incident is one alarm: what follows it at once is damped, so that order is
/// kept but no new alarm comes.
void DefaultModelV1::decide(Verdict& verdict) {
    const Strengths& strengths = verdict.strengths;
    const double pattern = ranked(strengths.pattern());
    verdict.pattern_decided = pattern > strengths.deviation();
    const double combined = std::max(pattern, strengths.deviation());
    verdict.damped = since_alarm_ < combination_.quiet_records;
    verdict.alarms_before = alarms_;
    verdict.last_alarm = last_alarm_;
    if (combined >= alarm) {
        since_alarm_ = 1;
        if (!verdict.damped) {
            ++alarms_;
            last_alarm_ = verdict.timestamp;
        }
    } else {
        since_alarm_ = std::min(since_alarm_ + 1, combination_.quiet_records);
    }
    Scores& scores = verdict.scores;
    scores.sequence = strengths.sequence;
    scores.novelty = std::max({strengths.jump, strengths.extreme, strengths.deviation()});
    scores.log = verdict.damped ? combination_.damping * combined : combined;
    scores.anomaly = likelihood_of_log(scores.log);
}

std::optional<Explanation> DefaultModelV1::explain() const {
    if (!latest_) return std::nullopt;
    return Explanation{*latest_, latest_->usual_error * deviation_.error_exceeded(rare_error), foreseen_buckets(*latest_, scale_, encoder_, memory_)};
}

/// At a new resolution every bucket means another value: what was learned at the old one is void. As long as all past
/// samples are at hand, they are learned again, as if the resolution had been this one from the beginning.
void DefaultModelV1::learn_again() {
    memory_ = TransitionMemory(memory_.parameters());
    if (classifier_) classifier_->forget();
    if (young_.empty()) return;
    sequence_likelihood_ = Likelihood(sequence_likelihood_.parameters());
    Stopwatch off;
    for (const Sample& sample : young_) sequence_likelihood_.update(surprise(sample, off), sample.value);
}

/// How much of a sample the memory did not foresee; the memory learns it.
double DefaultModelV1::surprise(const Sample& sample, Stopwatch& watch) {
    encoder_.encode(sample.timestamp, scale_.steps(sample.value), columns_);
    watch.lap(0);
    const double raw = memory_.compute(columns_);
    watch.lap(1);
    return raw;
}

DefaultModelV1::Pattern DefaultModelV1::pattern(double value) const {
    return {columns_, static_cast<std::int64_t>(bucket_of(scale_, value))};
}

}  // namespace htmengine
