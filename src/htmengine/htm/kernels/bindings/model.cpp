// Bindings of the default model's parts, of whole models and of the pool.
#include <nanobind/stl/shared_ptr.h>

#include <cmath>
#include <limits>
#include <memory>
#include <tuple>
#include <utility>

#include "bindings.hpp"
#include "alarm_size.hpp"
#include "default_model.hpp"
#include "default_model_v1.hpp"
#include "habits.hpp"
#include "hash_encoder.hpp"
#include "nupic_model.hpp"
#include "pool.hpp"
#include "seasonal_deviation.hpp"
#include "transition_memory.hpp"
#include "value_resolution.hpp"

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
            nb::kw_only(), "columns"_a = P{}.columns, "value_bits"_a = P{}.value_bits,
            "daytime_bits"_a = P{}.daytime_bits, "day_parts"_a = P{}.day_parts, "seed"_a = P{}.seed)
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
            nb::kw_only(), "columns"_a = P{}.columns, "max_segments"_a = P{}.max_segments,
            "activation_threshold"_a = P{}.activation_threshold, "match_threshold"_a = P{}.match_threshold,
            "new_synapses"_a = P{}.new_synapses, "initial_permanence"_a = P{}.initial_permanence,
            "connected_permanence"_a = P{}.connected_permanence, "permanence_increment"_a = P{}.permanence_increment,
            "permanence_decrement"_a = P{}.permanence_decrement, "seed"_a = P{}.seed)
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
                    ValueScale(P{minimum.value_or(P{}.minimum), maximum.value_or(P{}.maximum), buckets, padding});
            },
            nb::kw_only(), "minimum"_a = nb::none(), "maximum"_a = nb::none(), "buckets"_a = P{}.buckets,
            "padding"_a = P{}.padding)
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
            nb::kw_only(), "jump_rate"_a = P{}.jump_rate, "jump_limit"_a = P{}.jump_limit,
            "range_memory"_a = P{}.range_memory, "range_tolerance"_a = P{}.range_tolerance,
            "range_settling"_a = P{}.range_settling, "range_saturation"_a = P{}.range_saturation)
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
            nb::kw_only(), "share"_a = P{}.share, "memory"_a = P{}.memory, "refit"_a = P{}.refit,
            "probation"_a = P{}.probation, "heaviest"_a = P{}.heaviest, "outlier"_a = P{}.outlier)
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
            nb::kw_only(), "level_rate"_a = P{}.level_rate, "spread_rate"_a = P{}.spread_rate,
            "forecast_rate"_a = P{}.forecast_rate, "recent_rate"_a = P{}.recent_rate, "ridge"_a = P{}.ridge,
            "limit"_a = P{}.limit, "tail_share"_a = TailParameters{}.share, "tail_memory"_a = TailParameters{}.memory,
            "tail_refit"_a = TailParameters{}.refit, "tail_probation"_a = TailParameters{}.probation,
            "tail_heaviest"_a = TailParameters{}.heaviest, "tail_outlier"_a = TailParameters{}.outlier)
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
                    P{minimum.value_or(P{}.minimum), maximum.value_or(P{}.maximum), buckets, padding, wild_share});
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
                    throw std::invalid_argument("young must be all samples so far");
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
            [](ExpectationParameters* self, double level_rate, double day_rate, double week_rate, double forecast_rate,
               double loss_rate, double ridge) {
                new (self) ExpectationParameters{level_rate, day_rate, week_rate, forecast_rate, loss_rate, ridge};
            },
            nb::kw_only(), "level_rate"_a, "day_rate"_a, "week_rate"_a, "forecast_rate"_a, "loss_rate"_a, "ridge"_a);
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
        // Forecast, usual low and high, unit; strengths of distance, error, offset; digits of the rareness of distance,
        // error, offset, unrest; whether it is habitual.
        .def(
            "update",
            [](SeasonalDeviation& self, double timestamp, double value) {
                const auto s = self.update(timestamp, value);
                const auto& r = s.rareness;
                return std::make_tuple(s.forecast, s.usual_low, s.usual_high, s.unit, s.distance, s.error, s.offset,
                                       std::make_tuple(r.distance, r.error, r.offset, r.unrest), s.habitual);
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

void bind_explanation(nb::module_& module) {
    nb::class_<Explanation>(module, "Explanation")
        .def_prop_ro("timestamp", [](const Explanation& self) { return self.verdict.timestamp; })
        .def_prop_ro("value", [](const Explanation& self) { return self.verdict.value; })
        .def_prop_ro("scores",
                     [](const Explanation& self) {
                         std::vector<double> scores(Scores::count);
                         store(self.verdict.scores, scores.data());
                         return scores;
                     })
        // Sequence, jump, extreme, distance, error, offset, unrest.
        .def_prop_ro("strengths",
                     [](const Explanation& self) {
                         const Strengths& s = self.verdict.strengths;
                         return std::vector<double>{s.sequence, s.jump, s.extreme, s.distance,
                                                    s.error, s.offset, s.unrest};
                     })
        .def_prop_ro("pattern_decided", [](const Explanation& self) { return self.verdict.pattern_decided != 0; })
        .def_prop_ro("damped", [](const Explanation& self) { return self.verdict.damped != 0; })
        .def_prop_ro("forecast", [](const Explanation& self) { return self.verdict.forecast; })
        .def_ro("margin", &Explanation::margin)
        .def_prop_ro("alarms_before", [](const Explanation& self) { return self.verdict.alarms_before; })
        .def_prop_ro("last_alarm", [](const Explanation& self) { return self.verdict.last_alarm; })
        // (low, high, foreseen) of each, ascending.
        .def_prop_ro("buckets", [](const Explanation& self) {
            std::vector<std::tuple<double, double, double>> buckets;
            for (const auto& bucket : self.buckets) buckets.emplace_back(bucket.low, bucket.high, bucket.foreseen);
            return buckets;
        });
}

using ScoreTable = nb::ndarray<nb::numpy, double, nb::shape<-1, Scores::count>, nb::c_contig>;

ScoreTable to_table(std::vector<double> scores) {
    auto* owned = new std::vector<double>(std::move(scores));
    nb::capsule owner(owned, [](void* data) noexcept { delete static_cast<std::vector<double>*>(data); });
    return ScoreTable(owned->data(), {owned->size() / Scores::count, Scores::count}, owner);
}

void bind_base_model(nb::module_& module) {
    nb::class_<Model>(module, "Model")
        .def_prop_ro("rows", &Model::rows)
        .def_prop_ro("last_timestamp", &Model::last_timestamp)
        .def("save",
             [](const Model& self) {
                 const auto bytes = self.save();
                 return nb::bytes(reinterpret_cast<const char*>(bytes.data()), bytes.size());
             })
        .def("load",
             [](Model& self, nb::bytes bytes) {
                 self.load(reinterpret_cast<const std::uint8_t*>(bytes.c_str()), bytes.size());
             })
        .def("explain", &Model::explain)
        // Scores up to the first sample out of order; as many outcomes as samples taken. Samples whose log score is
        // at least `explain_from` are explained, each with its place in the series.
        .def(
            "score_series",
            [](Model& self, In<double> timestamps, In<double> values, double explain_from) {
                const std::size_t samples = timestamps.size();
                const std::size_t width = self.prediction_count();
                std::vector<double> scores(samples * Scores::count);
                std::vector<double> predictions(samples * width, std::numeric_limits<double>::quiet_NaN());
                std::vector<std::pair<std::size_t, Explanation>> explanations;
                std::vector<std::uint8_t> outcomes;
                outcomes.reserve(samples);
                {
                    nb::gil_scoped_release released;
                    for (std::size_t i = 0; i < samples; ++i) {
                        Scores found;
                        const Outcome outcome = self.step(timestamps.data()[i], values.data()[i], found);
                        if (outcome == Outcome::out_of_order) break;
                        store(found, &scores[i * Scores::count]);
                        if (outcome == Outcome::scored) store_predictions(self, predictions.data() + i * width);
                        if (found.log >= explain_from)
                            if (auto why = self.explain()) explanations.emplace_back(i, *std::move(why));
                        outcomes.push_back(static_cast<std::uint8_t>(outcome));
                    }
                }
                return std::make_tuple(to_table(std::move(scores)), to_numpy(std::move(predictions), samples, width),
                                       to_numpy(std::move(outcomes)), std::move(explanations));
            },
            "timestamps"_a, "values"_a, "explain_from"_a = std::numeric_limits<double>::infinity())
        .def(
            "add_classifier",
            [](Model& self, std::vector<std::uint32_t> steps, double alpha, double value_gain,
               std::uint32_t max_buckets) { self.add_classifier({std::move(steps), alpha, value_gain, max_buckets}); },
            nb::kw_only(), "steps"_a, "alpha"_a, "value_gain"_a, "max_buckets"_a)
        // Made at the sample scored last, by number of steps: value and probability. Empty without a classifier.
        .def("predictions",
             [](const Model& self) {
                 const auto* predictions = self.predictions();
                 return predictions ? pairs(*predictions) : std::vector<std::pair<double, double>>{};
             })
        .def_prop_ro("stages", &Model::stages)
        // Nanoseconds, (samples, stages + 1): of each stage, and last of the whole record without a stopwatch inside.
        .def(
            "time_series",
            [](Model& self, In<double> timestamps, In<double> values) {
                const std::size_t samples = timestamps.size();
                const std::size_t stages = self.stages().size();
                std::vector<std::int64_t> table;
                std::vector<std::int64_t> laps(stages + 1);
                table.reserve(samples * laps.size());
                {
                    nb::gil_scoped_release released;
                    for (std::size_t i = 0; i < samples; ++i) {
                        std::fill(laps.begin(), laps.end(), 0);
                        Scores scores;
                        Stopwatch whole(laps);
                        // Every other record is timed stage by stage, so that the whole is not slowed by the laps.
                        if (i % 2 == 0) {
                            self.step(timestamps.data()[i], values.data()[i], scores, Stopwatch(laps));
                        } else {
                            self.step(timestamps.data()[i], values.data()[i], scores);
                        }
                        whole.lap(stages);
                        table.insert(table.end(), laps.begin(), laps.end());
                    }
                }
                return to_numpy(std::move(table), samples, laps.size());
            },
            "timestamps"_a, "values"_a);
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
            "jump_likelihood"_a, "quiet_records"_a, "damping"_a, "channels"_a = std::uint32_t{all_channels_v1});
}

void bind_default_model(nb::module_& module) {
    using P = CombinationParameters;
    nb::class_<DefaultModel, Model>(module, "DefaultModel")
        .def(
            "__init__",
            [](DefaultModel* self, const ValueResolution& resolution, const HashEncoder& encoder,
               const TransitionMemory& memory, const Novelty& novelty, const SeasonalDeviation& deviation,
               const Likelihood& sequence_likelihood, const Likelihood& jump_likelihood, const Tail& odds,
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
            "young_evidence"_a, "channels"_a = std::uint32_t{all_channels});
}

/// Binds the constructor for one type of memory.
template <class Memory>
void bind_nupic_constructor(nb::class_<NupicModel, Model>& bound) {
    bound.def(
        "__init__",
        [](NupicModel* self, const MultiEncoder& encoder, const SpatialPooler& pooler, const Memory& memory,
           const Likelihood& likelihood) { new (self) NupicModel(encoder, pooler, memory, likelihood); },
        nb::kw_only(), "encoder"_a, "pooler"_a, "memory"_a, "likelihood"_a);
}

void bind_nupic_model(nb::module_& module) {
    nb::class_<NupicModel, Model> bound(module, "NupicModel");
    bind_nupic_constructor<TemporalMemory>(bound);
    bind_nupic_constructor<BacktrackingMemory>(bound);
}

void bind_pool(nb::module_& module) {
    nb::class_<Pool>(module, "Pool")
        .def(nb::init<>())
        .def("add", &Pool::add, "model"_a)
        .def("remove", &Pool::remove, "slot"_a)
        .def(
            "score",
            [](Pool& self, In<std::uint32_t> slots, In<double> timestamps, In<double> values, unsigned threads,
               double explain_from) {
                const std::size_t samples = slots.size();
                std::vector<double> scores(samples * Scores::count);
                std::vector<std::uint8_t> outcomes(samples);
                const std::size_t width = self.prediction_width({slots.data(), samples});
                std::vector<double> predictions(samples * width, std::numeric_limits<double>::quiet_NaN());
                std::vector<std::pair<std::size_t, Explanation>> explanations;
                {
                    nb::gil_scoped_release released;
                    self.score({slots.data(), samples}, {timestamps.data(), samples}, {values.data(), samples}, threads,
                               scores, predictions, width, outcomes, explain_from, explanations);
                }
                return std::make_tuple(to_table(std::move(scores)), to_numpy(std::move(predictions), samples, width),
                                       to_numpy(std::move(outcomes)), std::move(explanations));
            },
            "slots"_a, "timestamps"_a, "values"_a, "threads"_a, "explain_from"_a);
}

}  // namespace

void bind_model(nb::module_& module) {
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
    bind_explanation(module);
    bind_base_model(module);
    bind_default_model_v1(module);
    bind_default_model(module);
    bind_nupic_model(module);
    bind_pool(module);
}

}  // namespace htmengine
