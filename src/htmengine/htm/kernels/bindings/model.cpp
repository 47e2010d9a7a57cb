// Bindings of what all models have in common.
#include "common/model.hpp"

#include <nanobind/stl/shared_ptr.h>

#include <limits>
#include <memory>
#include <tuple>
#include <utility>

#include "bindings/scored.hpp"
#include "common/checksum.hpp"

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

}  // namespace

void bind_model(nb::module_& module) {
    module.def(
        "checksum",
        [](In<std::uint8_t> data, std::uint64_t seed) { return checksum(data.data(), data.size(), seed); },
        "data"_a, "seed"_a);
    bind_explanation(module);
    bind_base_model(module);
}

}  // namespace htmengine
