// The recommended model: what its channels find unusual, and one score.
//
// - deviation: how far a value lies from what is expected of it at its time, and how rarely (see SeasonalDeviation);
// - sequence: the hash encoder and the first-order memory; how much of the last records was not foreseen; and a
//   value that stands still (see FrozenValue);
// - jumps: how large the steps of the last records were;
// - extremes: a value beyond all so far.
//
// A deviation of the size of an alarm is one, and ranks: above all others, the larger the higher, by what sizes of alarms
// mostly were. The other channels, and
// a deviation that is rare without being large, are alarms when the record adds evidence of its own: a share of such a
// deviation, more of it while the metric is young, and nothing that is usual at its time of day.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "default/frozen_value.hpp"
#include "default/hash_encoder.hpp"
#include "common/likelihood.hpp"
#include "common/model.hpp"
#include "default/novelty.hpp"
#include "default/odds.hpp"
#include "default/seasonal_deviation.hpp"
#include "default/softmax_classifier.hpp"
#include "default/transition_memory.hpp"
#include "default/value_resolution.hpp"

namespace htmengine {

/// The channels, as bits.
enum Channel : std::uint32_t {
    sequence_channel = 1,
    jump_channel = 2,
    extreme_channel = 4,
    deviation_channel = 8,
    all_channels = 15,
};

struct CombinationParameters {
    std::uint32_t quiet_records;  // after an alarm, further ones are damped for so many records,
    double quiet_seconds;         // and at least so long
    double damping;               // factor on the log scale: a damped alarm stays below 0.5, and in order
    double surpassing;            // a deviation so many times as strong as an incident's strongest is not damped
    // Strengths of deviation from which the others are alarms, and the same for a metric that is one day old; the latter
    // falls with age, as one over it.
    double sequence_evidence;
    double jump_evidence;
    double extreme_evidence;
    double rareness_evidence;
    double young_evidence;
    std::uint32_t channels;       // those that count
};

class DefaultModel final : public PredictingModel<SoftmaxClassifier> {
   public:
    /// The parts are those of a new model; `odds` are those of the combined strength. Throws std::invalid_argument when
    /// they do not fit each other or a parameter is out of range.
    DefaultModel(ValueResolution resolution, HashEncoder encoder, TransitionMemory memory, Novelty novelty,
                 SeasonalDeviation deviation, Likelihood sequence_likelihood, Likelihood jump_likelihood, Odds odds,
                 const CombinationParameters& combination);

    std::vector<std::uint8_t> save() const override;
    void load(const std::uint8_t* data, std::size_t size) override;

    bool packs() const override { return true; }
    std::vector<std::uint8_t> pack() const override;
    void unpack(const std::uint8_t* data, std::size_t size) override;
    std::unique_ptr<Model> clone() const override;
    std::size_t memory() const override;

    std::vector<std::string> stages() const override { return {"encoder", "memory", "deviation", "likelihood"}; }

    std::optional<Explanation> explain() const override;

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.rows_, self.last_timestamp_, self.resolution_, self.memory_, self.novelty_, self.deviation_,
                self.sequence_likelihood_, self.jump_likelihood_, self.frozen_, self.odds_, self.since_alarm_, self.peak_, self.alarms_,
                self.last_alarm_, self.last_detection_, self.latest_, self.latest_expected_, self.young_);
        if (self.classifier_) archive(*self.classifier_);
    }

    void restored();

   protected:
    Scores score(double timestamp, double value, Stopwatch& watch) override;
    Pattern pattern(double value) const override;
    std::uint32_t pattern_cells() const override { return memory_.parameters().columns; }

   private:
    /// What the scores of a sample hold beyond those that a verdict keeps.
    struct Expected {
        double forecast = std::numeric_limits<double>::quiet_NaN();
        double usual_low = std::numeric_limits<double>::quiet_NaN();
        double usual_high = std::numeric_limits<double>::quiet_NaN();
        double one_in = std::numeric_limits<double>::quiet_NaN();

        template <class Self, class Archive>
        static void fields(Self& self, Archive& archive) {
            archive(self.forecast, self.usual_low, self.usual_high, self.one_in);
        }
    };

    void learn_sequence_again();
    void learn_scale_again();
    double surprise(const PastSample& sample, Stopwatch& watch);
    void decide(const Novelty::Score& novelty, const SeasonalDeviation::Score& deviation, double frozen, Verdict& verdict);
    double one_in(double combined);
    bool counts(Channel channel) const { return (combination_.channels & channel) != 0; }

    CombinationParameters combination_;
    ValueResolution resolution_;
    HashEncoder encoder_;
    TransitionMemory memory_;
    Novelty novelty_;
    SeasonalDeviation deviation_;
    Likelihood sequence_likelihood_;
    Likelihood jump_likelihood_;
    FrozenValue frozen_;
    Odds odds_;
    std::uint32_t since_alarm_;  // records since the last one that would have been an alarm, at most quiet_records
    double peak_ = 0.0;          // greatest strength of the incident; negative when it lay below the forecast
    std::uint64_t alarms_ = 0;
    double last_alarm_ = std::numeric_limits<double>::quiet_NaN();       // its timestamp
    double last_detection_ = -std::numeric_limits<double>::infinity();  // that of the last one, damped or not
    std::optional<Verdict> latest_;
    Expected latest_expected_;
    // While the model is young: all samples so far, to learn them again.
    std::vector<PastSample> young_;
    std::vector<std::uint32_t> columns_;  // scratch
};

}  // namespace htmengine
