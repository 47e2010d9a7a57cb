// Bindings of the default model, of its versions and of their parts.
#include "default/default_model.hpp"

#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "bindings/bindings.hpp"
#include "default/default_model_v1.hpp"

namespace htmengine {

using namespace nb::literals;

namespace {

void bind_hash_encoder(nb::module_& module) {
    using P = HashEncoderParameters;
    nb::class_<HashEncoder>(module, "HashEncoder")
        .def(
            "__init__",
            [](HashEncoder* self, std::uint32_t columns, std::uint32_t value_bits, std::uint32_t daytime_bits,
               std::uint32_t day_parts,
               std::uint64_t seed) { new (self) HashEncoder(P{columns, value_bits, daytime_bits, day_parts, seed}); },
            nb::kw_only(), "columns"_a, "value_bits"_a,
            "daytime_bits"_a, "day_parts"_a, "seed"_a)
        .def(
            "encode",
            [](const HashEncoder& self, double timestamp, double buckets) {
                std::vector<std::uint32_t> columns;
                self.encode(timestamp, buckets, columns);
                return to_numpy(std::move(columns));
            },
            "timestamp"_a, "buckets"_a);
}

void bind_transition_memory(nb::module_& module) {
    using P = TransitionMemoryParameters;
    nb::class_<TransitionMemory> bound(module, "TransitionMemory");
    bound
        .def(
            "__init__",
            [](TransitionMemory* self, std::uint32_t columns, std::uint32_t max_segments,
               std::uint32_t activation_threshold, std::uint32_t match_threshold, std::uint32_t new_synapses,
               std::uint32_t initial_permanence, std::uint32_t connected_permanence, std::uint32_t permanence_increment,
               std::uint32_t permanence_decrement, std::uint64_t seed) {
                new (self) TransitionMemory(P{columns, max_segments, activation_threshold, match_threshold,
                                              new_synapses, initial_permanence, connected_permanence,
                                              permanence_increment, permanence_decrement, seed});
            },
            nb::kw_only(), "columns"_a, "max_segments"_a,
            "activation_threshold"_a, "match_threshold"_a,
            "new_synapses"_a, "initial_permanence"_a,
            "connected_permanence"_a, "permanence_increment"_a,
            "permanence_decrement"_a, "seed"_a)
        .def(
            "compute",
            [](TransitionMemory& self, In<std::uint32_t> active) {
                for (std::size_t i = 0; i < active.size(); ++i)
                    if (active.data()[i] >= self.parameters().columns ||
                        (i && active.data()[i - 1] >= active.data()[i]))
                        throw std::invalid_argument("active columns must ascend and exist");
                return self.compute({active.data(), active.size()});
            },
            "active_columns"_a)
        // For each column: whether the step before the last one predicted it.
        .def("predicted", [](const TransitionMemory& self) { return to_numpy(self.predicted()); })
        .def_prop_ro("segment_count", &TransitionMemory::segment_count)
        .def_prop_ro("synapse_count", &TransitionMemory::synapse_count);
    bind_state(bound);
    bind_state<true>(bound);
}

void bind_value_scale(nb::module_& module) {
    using P = ValueScaleParameters;
    nb::class_<ValueScale> bound(module, "ValueScale");
    bound
        .def(
            "__init__",
            [](ValueScale* self, std::optional<double> minimum, std::optional<double> maximum, std::uint32_t buckets,
               double padding) {
                new (self)
                    ValueScale(P{minimum.value_or(std::numeric_limits<double>::quiet_NaN()), maximum.value_or(std::numeric_limits<double>::quiet_NaN()), buckets, padding});
            },
            nb::kw_only(), "minimum"_a = nb::none(), "maximum"_a = nb::none(), "buckets"_a,
            "padding"_a)
        .def("observe", &ValueScale::observe, "value"_a)
        .def("steps", &ValueScale::steps, "value"_a);
    bind_state(bound);
}

void bind_novelty(nb::module_& module) {
    using P = NoveltyParameters;
    nb::class_<Novelty> bound(module, "Novelty");
    bound
        .def(
            "__init__",
            [](Novelty* self, double jump_rate, double jump_limit, double range_memory, double range_tolerance,
               double range_settling, double range_saturation) {
                new (self) Novelty(
                    P{jump_rate, jump_limit, range_memory, range_tolerance, range_settling, range_saturation});
            },
            nb::kw_only(), "jump_rate"_a, "jump_limit"_a,
            "range_memory"_a, "range_tolerance"_a,
            "range_settling"_a, "range_saturation"_a)
        // The scores of the jump and of the extreme.
        .def(
            "update",
            [](Novelty& self, double value) {
                const auto score = self.update(value);
                return std::make_pair(score.jump, score.extreme);
            },
            "value"_a);
    bind_state(bound);
}

void bind_tail(nb::module_& module) {
    using P = TailParameters;
    nb::class_<Tail> bound(module, "Tail");
    bound
        .def(
            "__init__",
            [](Tail* self, double share, std::uint32_t memory, std::uint32_t refit, std::uint32_t probation,
               double heaviest,
               double outlier) { new (self) Tail(P{share, memory, refit, probation, heaviest, outlier}); },
            nb::kw_only(), "share"_a, "memory"_a, "refit"_a,
            "probation"_a, "heaviest"_a, "outlier"_a)
        // -log10 of the probability of a number as high as this, which is from 0 to 1000.
        .def(
            "update",
            [](Tail& self, double number) {
                if (!(number >= 0.0 && number <= Tail::highest))
                    throw std::invalid_argument("a number must be from 0 to 1000");
                return self.update(number);
            },
            "number"_a);
    bind_state(bound);
}

void bind_deviation(nb::module_& module) {
    using P = DeviationParameters;
    nb::class_<Deviation> bound(module, "Deviation");
    bound
        .def(
            "__init__",
            [](Deviation* self, double level_rate, double spread_rate, double forecast_rate, double recent_rate,
               double ridge, double limit, double tail_share, std::uint32_t tail_memory, std::uint32_t tail_refit,
               std::uint32_t tail_probation, double tail_heaviest, double tail_outlier) {
                new (self) Deviation(
                    P{level_rate, spread_rate, forecast_rate, recent_rate, ridge, limit},
                    TailParameters{tail_share, tail_memory, tail_refit, tail_probation, tail_heaviest, tail_outlier});
            },
            nb::kw_only(), "level_rate"_a, "spread_rate"_a,
            "forecast_rate"_a, "recent_rate"_a, "ridge"_a,
            "limit"_a, "tail_share"_a, "tail_memory"_a,
            "tail_refit"_a, "tail_probation"_a,
            "tail_heaviest"_a, "tail_outlier"_a)
        // Digits of the distance from the level, of the forecast's error, and of both over the last records.
        .def(
            "update",
            [](Deviation& self, double value) {
                const auto score = self.update(value);
                return std::make_tuple(score.distance, score.error, score.offset, score.unrest);
            },
            "value"_a)
        .def("forecast", &Deviation::forecast)
        .def("usual_error", &Deviation::usual_error)
        .def("error_exceeded", &Deviation::error_exceeded, "share"_a);
    bind_state(bound);
}

void bind_value_resolution(nb::module_& module) {
    using P = ValueResolutionParameters;
    nb::class_<ValueResolution> bound(module, "ValueResolution");
    bound
        .def(
            "__init__",
            [](ValueResolution* self, std::optional<double> minimum, std::optional<double> maximum,
               std::uint32_t buckets, double padding, double wild_share) {
                new (self) ValueResolution(
                    P{minimum.value_or(std::numeric_limits<double>::quiet_NaN()), maximum.value_or(std::numeric_limits<double>::quiet_NaN()), buckets, padding, wild_share});
            },
            nb::kw_only(), "minimum"_a = nb::none(), "maximum"_a = nb::none(), "buckets"_a, "padding"_a, "wild_share"_a)
        // `young`: (timestamp, value) of all samples so far, as long as there are at most 512.
        .def(
            "observe",
            [](ValueResolution& self, double value, const std::vector<std::pair<double, double>>& young) {
                std::vector<PastSample> samples;
                samples.reserve(young.size());
                for (const auto& [timestamp, past] : young) samples.push_back({timestamp, past});
                if (!self.settled() && samples.size() != self.count() + 1)
                    throw std::invalid_argument("young must hold all samples so far");
                return self.observe(value, samples);
            },
            "value"_a, "young"_a)
        .def("steps", &ValueResolution::steps, "value"_a)
        .def("value_at", &ValueResolution::value_at, "steps"_a);
    bind_state(bound);
}

void bind_alarm_size(nb::module_& module) {
    using P = AlarmSizeParameters;
    nb::class_<P>(module, "AlarmSizeParameters")
        .def(
            "__init__",
            [](P* self, double common_share, double rare_share, double odds, double caution, double recurring_share,
               double recurring_support, double recurring_factor, double recurring_limit, double least,
               std::uint32_t memory, std::uint32_t refit, std::uint32_t probation) {
                new (self) P{common_share,     rare_share,      odds,  caution, recurring_share, recurring_support,
                             recurring_factor, recurring_limit, least, memory,  refit,           probation};
            },
            nb::kw_only(), "common_share"_a, "rare_share"_a, "odds"_a, "caution"_a, "recurring_share"_a,
            "recurring_support"_a, "recurring_factor"_a, "recurring_limit"_a, "least"_a, "memory"_a, "refit"_a,
            "probation"_a);
    nb::class_<AlarmSize> bound(module, "AlarmSize");
    bound.def(nb::init<const P&>(), "parameters"_a)
        .def(
            "learn",
            [](AlarmSize& self, double size) {
                if (!(size >= 0.0)) throw std::invalid_argument("a size must be at least 0");
                self.learn(size);
            },
            "size"_a)
        .def("size", &AlarmSize::size)
        .def("strength", &AlarmSize::strength, "size"_a)
        .def("typical", &AlarmSize::typical)
        .def("usual", &AlarmSize::usual);
    bind_state(bound);
}

void bind_habits(nb::module_& module) {
    using P = HabitParameters;
    nb::class_<P>(module, "HabitParameters")
        .def(
            "__init__",
            [](P* self, double fading, double margin, double value_margin) {
                new (self) P{fading, margin, value_margin};
            },
            nb::kw_only(), "fading"_a, "margin"_a, "value_margin"_a);
    nb::class_<Habits> bound(module, "Habits");
    bound.def(nb::init<const P&>(), "parameters"_a)
        .def(
            "visit",
            [](Habits& self, double timestamp) {
                if (!std::isfinite(timestamp)) throw std::invalid_argument("a timestamp must be finite");
                self.visit(timestamp);
            },
            "timestamp"_a)
        .def("usual_strength", &Habits::usual_strength)
        .def("beyond_usual", &Habits::beyond_usual, "strength"_a)
        .def("usual_value", &Habits::usual_value, "value"_a)
        .def("add", &Habits::add, "strength"_a, "value"_a);
    bind_state(bound);
}

void bind_seasonal_deviation(nb::module_& module) {
    using P = SeasonalDeviationParameters;
    nb::class_<ExpectationParameters>(module, "ExpectationParameters")
        .def(
            "__init__",
            [](ExpectationParameters* self, double level_rate, double day_rate, double week_rate, double hour_rate, double forecast_rate,
               double loss_rate, double ridge) {
                new (self) ExpectationParameters{level_rate, day_rate, week_rate, hour_rate, forecast_rate, loss_rate, ridge};
            },
            nb::kw_only(), "level_rate"_a, "day_rate"_a, "week_rate"_a, "hour_rate"_a, "forecast_rate"_a, "loss_rate"_a, "ridge"_a);
    nb::class_<TailParameters>(module, "TailParameters")
        .def(
            "__init__",
            [](TailParameters* self, double share, std::uint32_t memory, std::uint32_t refit, std::uint32_t probation,
               double heaviest, double outlier) {
                new (self) TailParameters{share, memory, refit, probation, heaviest, outlier};
            },
            nb::kw_only(), "share"_a, "memory"_a, "refit"_a, "probation"_a, "heaviest"_a, "outlier"_a);
    nb::class_<SeasonalDeviation> bound(module, "SeasonalDeviation");
    bound
        .def(
            "__init__",
            [](SeasonalDeviation* self, const ExpectationParameters& expectation, const AlarmSizeParameters& alarm_size,
               const TailParameters& tail, const HabitParameters& habits, double spread_rate, double long_rate,
               double offset_rate, double recent_rate, double limit, double profile_limit, double furthest,
               std::uint32_t constant_records) {
                new (self) SeasonalDeviation(
                    P{spread_rate, long_rate, offset_rate, recent_rate, limit, profile_limit, furthest, constant_records}, expectation,
                    alarm_size, tail, habits);
            },
            nb::kw_only(), "expectation"_a, "alarm_size"_a, "tail"_a, "habits"_a, "spread_rate"_a, "long_rate"_a,
            "offset_rate"_a, "recent_rate"_a, "limit"_a, "profile_limit"_a, "furthest"_a, "constant_records"_a)
        // A new one that knows its bulk.
        .def(
            "renewed",
            [](const SeasonalDeviation& self, double level, double error, double distance) {
                return self.renewed({level, error, distance});
            },
            "level"_a, "error"_a, "distance"_a)
        // Forecast, usual low and high, unit; strengths of distance, error, offset; prominence; digits of the rareness of distance,
        // error, offset, unrest; whether it is habitual.
        .def(
            "update",
            [](SeasonalDeviation& self, double timestamp, double value) {
                const auto s = self.update(timestamp, value);
                const auto& r = s.rareness;
                return std::make_tuple(s.forecast, s.usual_low, s.usual_high, s.unit, s.distance, s.error, s.offset,
                                       s.prominence, std::make_tuple(r.distance, r.error, r.offset, r.unrest), s.habitual);
            },
            "timestamp"_a, "value"_a)
        .def(
            "exceeds",
            [](const SeasonalDeviation& self, double error, double distance, double factor) {
                return self.exceeds({0.0, error, distance}, factor);
            },
            "error"_a, "distance"_a, "factor"_a);
    bind_state(bound);
}

void bind_default_model_v1(nb::module_& module) {
    nb::class_<DefaultModelV1, Model>(module, "DefaultModelV1")
        .def(
            "__init__",
            [](DefaultModelV1* self, const ValueScale& scale, const HashEncoder& encoder, const TransitionMemory& memory,
               const Novelty& novelty, const Deviation& deviation, const Likelihood& sequence_likelihood,
               const Likelihood& jump_likelihood, std::uint32_t quiet_records, double damping, std::uint32_t channels) {
                new (self) DefaultModelV1(scale, encoder, memory, novelty, deviation, sequence_likelihood,
                                        jump_likelihood, {quiet_records, damping, channels});
            },
            nb::kw_only(), "scale"_a, "encoder"_a, "memory"_a, "novelty"_a, "deviation"_a, "sequence_likelihood"_a,
            "jump_likelihood"_a, "quiet_records"_a, "damping"_a, "channels"_a);
}

void bind_frozen_value(nb::module_& module) {
    nb::class_<FrozenValue> bound(module, "FrozenValue");
    bound
        .def(nb::init<>())
        .def(
            "update",
            [](FrozenValue& self, double value) {
                if (!std::isfinite(value)) throw std::invalid_argument("a value must be finite");
                return self.update(value);
            },
            "value"_a);
    bind_state(bound);
}

void bind_odds(nb::module_& module) {
    nb::class_<Odds> bound(module, "Odds");
    bound
        .def(nb::init<const TailParameters&>(), "parameters"_a)
        // One in how many numbers is as high as this, which is from 0 to 1000.
        .def(
            "update",
            [](Odds& self, double number) {
                if (!(number >= 0.0 && number <= Tail::highest))
                    throw std::invalid_argument("a number must be from 0 to 1000");
                return self.update(number);
            },
            "number"_a);
    bind_state(bound);
}

void bind_default_model(nb::module_& module) {
    using P = CombinationParameters;
    nb::class_<DefaultModel, Model>(module, "DefaultModel")
        .def(
            "__init__",
            [](DefaultModel* self, const ValueResolution& resolution, const HashEncoder& encoder,
               const TransitionMemory& memory, const Novelty& novelty, const SeasonalDeviation& deviation,
               const Likelihood& sequence_likelihood, const Likelihood& jump_likelihood, const Odds& odds,
               std::uint32_t quiet_records, double quiet_seconds, double damping, double surpassing,
               double sequence_evidence, double jump_evidence, double extreme_evidence, double rareness_evidence,
               double young_evidence, std::uint32_t channels) {
                new (self) DefaultModel(resolution, encoder, memory, novelty, deviation, sequence_likelihood,
                                        jump_likelihood, odds,
                                        P{quiet_records, quiet_seconds, damping, surpassing, sequence_evidence,
                                          jump_evidence, extreme_evidence, rareness_evidence, young_evidence, channels});
            },
            nb::kw_only(), "resolution"_a, "encoder"_a, "memory"_a, "novelty"_a, "deviation"_a,
            "sequence_likelihood"_a, "jump_likelihood"_a, "odds"_a, "quiet_records"_a, "quiet_seconds"_a, "damping"_a,
            "surpassing"_a, "sequence_evidence"_a, "jump_evidence"_a, "extreme_evidence"_a, "rareness_evidence"_a,
            "young_evidence"_a, "channels"_a);
}

}  // namespace

void bind_default_models(nb::module_& module) {
    bind_hash_encoder(module);
    bind_transition_memory(module);
    bind_value_scale(module);
    bind_novelty(module);
    bind_tail(module);
    bind_deviation(module);
    bind_value_resolution(module);
    bind_alarm_size(module);
    bind_habits(module);
    bind_seasonal_deviation(module);
    bind_frozen_value(module);
    bind_odds(module);
    bind_default_model_v1(module);
    bind_default_model(module);
}

}  // namespace htmengine
