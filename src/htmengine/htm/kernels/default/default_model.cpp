#include "default/default_model.hpp"

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
constexpr double just_below_alarm = 0.49;
constexpr double largest_float = std::numeric_limits<float>::max();
constexpr double day_s = 86400.0;

// The band of the log scale, above and below which deviations that are alarms by themselves lie.
constexpr double band = 0.05;
constexpr double band_by_deviation = 0.7;   // share of the order within it that is the deviation's
constexpr double near_alarm = 0.5;          // strength from which a deviation that is no alarm ranks by it
constexpr double share_below_alarm = 0.4;   // what is left there of what the other channels find

// A metric's scale is learned again, without the values that set it, when it exceeds that of the bulk by so much.
constexpr double wild_factor = 200.0;
constexpr std::uint64_t rows_of_bulk = 8;

constexpr double longest_quiet_s = 21600.0;  // after which another alarm belongs to another incident

// A deviation to the other side so many records (and quiet_seconds) after the last alarm of an incident is another event: of a job that runs
// at another hour, first that it did not run, then that it does. Earlier it may be the way back.
constexpr std::uint32_t calm_between = 3;

// A past of so many records cannot tell more than so many times that.
constexpr double one_in_by_records = 100.0;

/// The log scale of a strength: 0.5 at 1.
double scaled(double strength) { return strength / (strength + 1.0); }

/// What a deviation ranks by. Alarms and what falls well short of one rank by prominence, so that within a metric what is
/// larger ranks higher, be an alarm as large as it is now or not; what falls just short, by how much.
double ranked(double strength, double prominence) {
    if (strength >= 1.0) return std::max(prominence, 1.0);
    return strength >= near_alarm ? strength : std::min(prominence, near_alarm);
}

/// Ranks deviations that are alarms by themselves above all others, and the others well below them.
double combine(double found, double strength, double large) {
    if (strength >= 1.0) return alarm + band + (1.0 - 2.0 * band) * (large - alarm);
    if (found < alarm) return std::max(share_below_alarm * found, large);
    return alarm + band * (band_by_deviation * 2.0 * large + (1.0 - band_by_deviation) * std::min(2.0 * (found - alarm), 1.0));
}

/// As a float holds it, so that every store gives it back bit for bit.
double rounded(double x) { return static_cast<float>(std::min(std::max(x, -largest_float), largest_float)); }

double median_of(std::vector<double> numbers) {
    const auto middle = numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2);
    std::nth_element(numbers.begin(), middle, numbers.end());
    return *middle;
}

/// The mean of sizes but for the largest twentieth, each counted up to five medians.
double bulk_mean(std::vector<double> sizes) {
    std::sort(sizes.begin(), sizes.end());
    const std::size_t kept = sizes.size() - std::max<std::size_t>(1, sizes.size() / 20);
    const double median = sizes[sizes.size() / 2];
    double sum = 0.0;
    for (std::size_t i = 0; i < kept; ++i) sum += median > 0.0 ? std::min(sizes[i], 5.0 * median) : sizes[i];
    return sum / static_cast<double>(kept);
}

BulkScale bulk_scale(const std::vector<PastSample>& samples) {
    std::vector<double> values, distances, steps;
    for (const PastSample& sample : samples) values.push_back(sample.value);
    BulkScale scale{};
    scale.level = median_of(values);
    for (std::size_t i = 0; i < values.size(); ++i) {
        distances.push_back(std::fabs(values[i] - scale.level));
        if (i > 0) steps.push_back(std::fabs(values[i] - values[i - 1]));
    }
    scale.distance = bulk_mean(std::move(distances));
    scale.error = bulk_mean(std::move(steps));
    return scale;
}

}  // namespace

DefaultModel::DefaultModel(ValueResolution resolution, HashEncoder encoder, TransitionMemory memory, Novelty novelty,
                           SeasonalDeviation deviation, Likelihood sequence_likelihood, Likelihood jump_likelihood,
                           Odds odds, const CombinationParameters& combination)
    : combination_(combination),
      resolution_(std::move(resolution)),
      encoder_(std::move(encoder)),
      memory_(std::move(memory)),
      novelty_(std::move(novelty)),
      deviation_(std::move(deviation)),
      sequence_likelihood_(std::move(sequence_likelihood)),
      jump_likelihood_(std::move(jump_likelihood)),
      odds_(std::move(odds)),
      since_alarm_(combination.quiet_records) {
    const auto& c = combination;
    if (encoder_.parameters().columns != memory_.parameters().columns)
        throw std::invalid_argument("encoder and memory must have the same number of columns");
    require(c.damping >= 0.0 && c.damping <= 1.0, "damping must be from 0 to 1", c.damping);
    require(c.quiet_seconds >= 0.0, "quiet_seconds must be at least 0", c.quiet_seconds);
    require(c.surpassing >= 1.0, "surpassing must be at least 1", c.surpassing);
    for (const double evidence :
         {c.sequence_evidence, c.jump_evidence, c.extreme_evidence, c.rareness_evidence, c.young_evidence})
        require(evidence >= 0.0, "evidence of a channel must be at least 0", evidence);
    if (c.channels > all_channels) throw std::invalid_argument("channels must be a set of the four channels");
}

Scores DefaultModel::score(double timestamp, double given_value, Stopwatch& watch) {
    const PastSample sample{timestamp, std::min(std::max(given_value, -furthest_value), furthest_value)};
    const bool young = !resolution_.settled();
    if (young) young_.push_back(sample);
    if (resolution_.observe(sample.value, young_)) learn_sequence_again();

    Verdict verdict;
    verdict.timestamp = timestamp;
    verdict.value = sample.value;
    verdict.scores.raw = surprise(sample, watch);
    const Novelty::Score novelty = novelty_.update(sample.value);
    const SeasonalDeviation::Score deviation = deviation_.update(timestamp, sample.value);
    watch.lap(2);
    sequence_likelihood_.update(verdict.scores.raw, sample.value);
    jump_likelihood_.update(novelty.jump, sample.value);
    decide(novelty, deviation, frozen_.update(sample.value), verdict);
    latest_ = verdict;
    latest_expected_ = {verdict.scores.forecast, verdict.scores.usual_low, verdict.scores.usual_high,
                        verdict.scores.one_in};
    if (young) learn_scale_again();
    if (resolution_.settled()) young_ = {};
    watch.lap(3);
    return verdict.scores;
}

/// Combines what the channels find to scores. One incident is one alarm: what follows it at once is damped, so that
/// order is kept but no new alarm comes, unless it is much stronger, or lies to the other side after calm records.
void DefaultModel::decide(const Novelty::Score& novelty, const SeasonalDeviation::Score& deviation, double frozen,
                          Verdict& verdict) {
    const auto& c = combination_;
    const double evidence = deviation.strength();
    const double strength = counts(deviation_channel) ? evidence : 0.0;
    const double age = std::max(verdict.timestamp - deviation_.begun(), 1.0);
    const double young = std::min(c.young_evidence * day_s / age, 1e9);
    // What a channel finds is an alarm only with evidence of the record's own.
    const auto with_evidence = [&](double found, double needed, bool usual) {
        return evidence < std::max(needed, young) || usual ? std::min(found, just_below_alarm) : found;
    };

    Strengths& strengths = verdict.strengths;
    if (counts(sequence_channel)) {
        const double changed =
            with_evidence(graded(digits_of(sequence_likelihood_.latest_tail())), c.sequence_evidence, false);
        // A value that stands still is no deviation: its length is evidence enough, but for a metric's first day.
        strengths.sequence = std::max(changed, age < day_s ? 0.0 : frozen);
    }
    if (counts(jump_channel))
        strengths.jump = with_evidence(graded(digits_of(jump_likelihood_.latest_tail())), c.jump_evidence,
                                       deviation.habitual);
    if (counts(extreme_channel))
        strengths.extreme = with_evidence(novelty.extreme, c.extreme_evidence, deviation.habitual);
    double rareness = 0.0;
    if (counts(deviation_channel)) {
        const auto rare = [&](double digits) {
            return with_evidence(graded(stretched(digits)), c.rareness_evidence, false);
        };
        rareness = rare(deviation.rareness.largest());
        strengths.distance = std::max(scaled(deviation.distance), rare(deviation.rareness.distance));
        strengths.error = std::max(scaled(deviation.error), rare(deviation.rareness.error));
        strengths.offset = std::max(scaled(deviation.offset), rare(deviation.rareness.offset));
        strengths.unrest = rare(deviation.rareness.unrest);
    }

    const double found = std::max(strengths.pattern(), rareness);
    const double large = counts(deviation_channel) ? scaled(ranked(strength, deviation.prominence)) : 0.0;
    const double combined = combine(found, strength, large);

    const double since = verdict.timestamp - last_detection_;
    const bool quiet = since < c.quiet_seconds || (since_alarm_ < c.quiet_records && since < longest_quiet_s);
    verdict.pattern_decided = strength < 1.0 && strengths.pattern() > std::max(rareness, large);
    const double side = verdict.value < deviation.forecast ? -1.0 : 1.0;
    const bool calm = since_alarm_ >= calm_between && since >= c.quiet_seconds;
    const bool another =
        calm && side * peak_ < 0.0 && strength >= 1.0 && std::min(deviation.distance, deviation.error) >= 1.0;
    const bool surpassing = strength >= 1.0 && strength > c.surpassing * std::fabs(peak_);
    verdict.damped = quiet && !surpassing && !another;
    verdict.alarms_before = alarms_;
    verdict.last_alarm = last_alarm_;
    if (combined >= alarm) {
        const double own = std::max(strength, 1.0);
        if (!quiet || another || own > std::fabs(peak_)) peak_ = side * own;
        since_alarm_ = 1;
        last_detection_ = verdict.timestamp;
        if (!verdict.damped) {
            ++alarms_;
            last_alarm_ = verdict.timestamp;
        }
    } else {
        since_alarm_ = std::min(since_alarm_ + 1, c.quiet_records);
    }

    Scores& scores = verdict.scores;
    scores.sequence = strengths.sequence;
    scores.novelty = std::max({strengths.jump, strengths.extreme, strengths.deviation()});
    scores.log = verdict.damped ? c.damping * combined : combined;
    scores.anomaly = likelihood_of_log(scores.log);
    scores.forecast = rounded(deviation.forecast);
    scores.usual_low = rounded(deviation.usual_low);
    scores.usual_high = rounded(deviation.usual_high);
    // How often so strong a record comes is asked of its strength: what ranks it moves with the metric's past alarms.
    scores.one_in = one_in(combine(found, strength, scaled(strength)));
    verdict.forecast = scores.forecast;
    verdict.usual_error = deviation.unit;
}

/// One in how many records is as unusual, by the metric's own past; NaN on probation.
double DefaultModel::one_in(double combined) {
    // Squares, so that the bins of equal ratio are narrow.
    const double strength = combined / (1.0 - combined);
    const double found = odds_.update(std::min(strength * strength, Tail::highest));
    return std::isnan(found) ? found : std::min(found, one_in_by_records * static_cast<double>(odds_.numbers()));
}

std::optional<Explanation> DefaultModel::explain() const {
    if (!latest_) return std::nullopt;
    Explanation explanation{*latest_, latest_expected_.usual_high - latest_expected_.forecast, foreseen_buckets(*latest_, resolution_, encoder_, memory_)};
    explanation.verdict.scores.forecast = latest_expected_.forecast;
    explanation.verdict.scores.usual_low = latest_expected_.usual_low;
    explanation.verdict.scores.usual_high = latest_expected_.usual_high;
    explanation.verdict.scores.one_in = latest_expected_.one_in;
    return explanation;
}

/// At a new resolution every bucket means another value: what was learned at the old one is void. As long as all past
/// samples are at hand, they are learned again, as if the resolution had been this one from the beginning; the present
/// one, which is the last of them, is still to come.
void DefaultModel::learn_sequence_again() {
    memory_ = TransitionMemory(memory_.parameters());
    if (classifier_) classifier_->forget();
    if (young_.empty()) return;
    sequence_likelihood_ = Likelihood(sequence_likelihood_.parameters());
    Stopwatch off;
    for (std::size_t i = 0; i + 1 < young_.size(); ++i)
        sequence_likelihood_.update(surprise(young_[i], off), young_[i].value);
}

/// After 8, 16, 32 … 512 samples: when a wild value among them has set the scale of deviations, they are learned again
/// with the scale of the bulk.
void DefaultModel::learn_scale_again() {
    const std::uint64_t rows = young_.size();
    if (rows < rows_of_bulk || (rows & (rows - 1)) != 0) return;
    const BulkScale scale = bulk_scale(young_);
    if (!deviation_.exceeds(scale, wild_factor)) return;
    deviation_ = deviation_.renewed(scale);
    for (const PastSample& sample : young_) deviation_.update(sample.timestamp, sample.value);
}

/// How much of a sample the memory did not foresee; the memory learns it.
double DefaultModel::surprise(const PastSample& sample, Stopwatch& watch) {
    encoder_.encode(sample.timestamp, resolution_.steps(sample.value), columns_);
    watch.lap(0);
    const double raw = memory_.compute(columns_);
    watch.lap(1);
    return raw;
}

DefaultModel::Pattern DefaultModel::pattern(double value) const {
    return {columns_, static_cast<std::int64_t>(bucket_of(resolution_, value))};
}

}  // namespace htmengine
