// The recommended model of version 1, for metrics that began with it. Four channels, each with its own idea of what is usual
// for this metric, and one score.
//
// - sequence: the hash encoder and the first-order memory; how much of the last records was not foreseen;
// - jumps: how large the steps of the last records were;
// - extremes: a value beyond all so far;
// - deviation: how rarely a value lies so far from its level or its forecast.
//
// The first three tell that a pattern has changed, over some records; the last one ranks single records. Combined, a
// changed pattern is an alarm of a narrow band of scores, so that the order of records is that of the deviation.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "default/deviation.hpp"
#include "default/hash_encoder.hpp"
#include "common/likelihood.hpp"
#include "common/model.hpp"
#include "default/novelty.hpp"
#include "default/softmax_classifier.hpp"
#include "default/transition_memory.hpp"
#include "default/value_scale.hpp"

namespace htmengine {

/// The channels, as bits.
enum ChannelV1 : std::uint32_t {
    sequence_channel_v1 = 1,
    jump_channel_v1 = 2,
    extreme_channel_v1 = 4,
    deviation_channel_v1 = 8,
    all_channels_v1 = 15,
};

struct CombinationParametersV1 {
    std::uint32_t quiet_records;  // after an alarm, further ones are damped for so many records
    double damping;               // factor on the log scale: a damped alarm stays below 0.5, and in order
    std::uint32_t channels;       // those that count
};

class DefaultModelV1 final : public PredictingModel<SoftmaxClassifier> {
   public:
    /// The parts are those of a new model. Throws std::invalid_argument when they do not fit each other or a parameter
    /// is out of range.
    DefaultModelV1(ValueScale scale, HashEncoder encoder, TransitionMemory memory, Novelty novelty, Deviation deviation,
                 Likelihood sequence_likelihood, Likelihood jump_likelihood, const CombinationParametersV1& combination);

    std::vector<std::uint8_t> save() const override;
    void load(const std::uint8_t* data, std::size_t size) override;

    std::vector<std::string> stages() const override { return {"encoder", "memory", "novelty", "likelihood"}; }

    std::optional<Explanation> explain() const override;

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.rows_, self.last_timestamp_, self.scale_, self.memory_, self.novelty_, self.deviation_,
                self.sequence_likelihood_, self.jump_likelihood_, self.since_alarm_, self.alarms_, self.last_alarm_,
                self.latest_, self.young_);
        if (self.classifier_) archive(*self.classifier_);
    }

    void restored();

   protected:
    Scores score(double timestamp, double value, Stopwatch& watch) override;
    Pattern pattern(double value) const override;
    std::uint32_t pattern_cells() const override { return memory_.parameters().columns; }

   private:
    struct Sample {
        double timestamp;
        double value;

        template <class Self, class Archive>
        static void fields(Self& self, Archive& archive) {
            archive(self.timestamp, self.value);
        }
    };

    void learn_again();
    double surprise(const Sample& sample, Stopwatch& watch);
    Strengths strengths(const Novelty::Score& novelty, const Deviation::Score& deviation) const;
    void decide(Verdict& verdict);
    bool counts(ChannelV1 channel) const { return (combination_.channels & channel) != 0; }

    CombinationParametersV1 combination_;
    ValueScale scale_;
    HashEncoder encoder_;
    TransitionMemory memory_;
    Novelty novelty_;
    Deviation deviation_;
    Likelihood sequence_likelihood_;
    Likelihood jump_likelihood_;
    std::uint32_t since_alarm_;  // records since the last alarm, at most quiet_records
    std::uint64_t alarms_ = 0;
    double last_alarm_ = std::numeric_limits<double>::quiet_NaN();  // its timestamp
    std::optional<Verdict> latest_;
    // While the resolution is not settled: all samples so far, to learn them again at a new one.
    std::vector<Sample> young_;
    std::vector<std::uint32_t> columns_;  // scratch
};

}  // namespace htmengine
