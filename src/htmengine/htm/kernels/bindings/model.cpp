// Bindings of what all models have in common, of NuPIC's models and of the pool.
#include <nanobind/stl/shared_ptr.h>

#include <cmath>
#include <limits>
#include <memory>
#include <tuple>
#include <utility>

#include "bindings/bindings.hpp"
#include "nupic/nupic_model.hpp"
#include "common/checksum.hpp"
#include "common/pool.hpp"

namespace htmengine {

using namespace nb::literals;

namespace {

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
        .def_prop_ro("packs", &Model::packs)
        .def_prop_ro("memory", &Model::memory)
        .def("pack",
             [](const Model& self) {
                 std::vector<std::uint8_t> bytes;
                 {
                     nb::gil_scoped_release released;
                     bytes = self.pack();
                 }
                 return nb::bytes(reinterpret_cast<const char*>(bytes.data()), bytes.size());
             })
        // Only into a new model: one that cannot be unpacked is of no use any more.
        .def("unpack",
             [](Model& self, In<std::uint8_t> bytes) {
                 nb::gil_scoped_release released;
                 self.unpack(bytes.data(), bytes.size());
             })
        .def("clone", [](const Model& self) -> std::shared_ptr<Model> { return self.clone(); })
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
        .def(
            "add",
            [](Pool& self, std::shared_ptr<Model> model, std::shared_ptr<Model> prototype) {
                return self.add(std::move(model), std::move(prototype));
            },
            "model"_a, "prototype"_a.none() = nb::none())
        .def(
            "add_packed",
            [](Pool& self, std::shared_ptr<Model> prototype, std::uint64_t rows, In<std::uint8_t> state) {
                return self.add_packed(std::move(prototype), rows, state.data(), state.size());
            },
            "prototype"_a, "rows"_a, "state"_a)
        .def("remove", &Pool::remove, "slot"_a)
        .def("model", &Pool::at, "slot"_a)
        .def("is_packed", &Pool::is_packed, "slot"_a)
        .def(
            "pack",
            [](Pool& self, In<std::uint32_t> slots, unsigned threads) {
                nb::gil_scoped_release released;
                self.pack({slots.data(), slots.size()}, threads);
            },
            "slots"_a, "threads"_a)
        // Of each slot: rows and state.
        .def(
            "states",
            [](Pool& self, In<std::uint32_t> slots, unsigned threads) {
                std::vector<Pool::State> states;
                {
                    nb::gil_scoped_release released;
                    states = self.states({slots.data(), slots.size()}, threads);
                }
                std::vector<std::pair<std::uint64_t, nb::bytes>> found;
                found.reserve(states.size());
                for (const Pool::State& state : states)
                    found.emplace_back(state.rows, nb::bytes(reinterpret_cast<const char*>(state.bytes.data()),
                                                             state.bytes.size()));
                return found;
            },
            "slots"_a, "threads"_a)
        .def("set_most_unpacked", &Pool::set_most_unpacked, "count"_a)
        .def_prop_ro("unpacked", &Pool::unpacked)
        .def_prop_ro("unpacked_bytes", &Pool::unpacked_bytes)
        .def_prop_ro("packed_bytes", &Pool::packed_bytes)
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
    module.def(
        "checksum",
        [](In<std::uint8_t> data, std::uint64_t seed) { return checksum(data.data(), data.size(), seed); },
        "data"_a, "seed"_a);
    bind_explanation(module);
    bind_base_model(module);
    bind_nupic_model(module);
    bind_pool(module);
}

}  // namespace htmengine
