// Bindings of the pool.
#include "common/pool.hpp"

#include <nanobind/stl/shared_ptr.h>

#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "bindings/scored.hpp"

namespace htmengine {

using namespace nb::literals;

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

}  // namespace htmengine
