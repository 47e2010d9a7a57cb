#include "nupic/spatial_pooler.hpp"

#include "bindings/bindings.hpp"

namespace htmengine {

using namespace nb::literals;

void bind_spatial_pooler(nb::module_& module) {
    using T = SpatialPooler;
    nb::class_<T> bound(module, "SpatialPooler");
    bound
        .def(
            "__init__",
            [](T* self, std::uint32_t inputs, std::uint32_t columns, std::uint32_t active_columns, float potential_pct,
               float connected_permanence, float active_increment, float inactive_decrement, float boost_strength,
               std::uint32_t duty_cycle_period, float min_overlap_duty, std::uint64_t seed) {
                new (self) T(SpatialPoolerParameters{inputs, columns, active_columns, potential_pct,
                                                     connected_permanence, active_increment, inactive_decrement,
                                                     boost_strength, duty_cycle_period, min_overlap_duty, seed});
            },
            nb::kw_only(), "inputs"_a, "columns"_a, "active_columns"_a, "potential_pct"_a, "connected_permanence"_a,
            "active_increment"_a, "inactive_decrement"_a, "boost_strength"_a, "duty_cycle_period"_a,
            "min_overlap_duty"_a, "seed"_a, nb::call_guard<nb::gil_scoped_release>())
        .def(
            "compute",
            [](T& self, In<std::uint32_t> bits, bool learn) {
                const Span<const std::uint32_t> active(bits.data(), bits.size());
                for (std::size_t i = 0; i < active.size(); ++i)
                    if (active[i] >= self.parameters().inputs || (i > 0 && active[i - 1] >= active[i]))
                        throw std::invalid_argument("active bits must ascend and be below the number of inputs");
                std::vector<std::uint32_t> columns;
                {
                    nb::gil_scoped_release release;
                    columns = self.compute(active, learn);
                }
                return to_numpy(std::move(columns));
            },
            "bits"_a, "learn"_a)
        .def("overlaps", [](const T& self) { return to_numpy(self.overlaps()); })
        .def("permanences", [](const T& self) { return to_numpy(self.permanences()); })
        .def("active_duty_cycles", [](const T& self) { return to_numpy(self.active_duty_cycles()); })
        .def("overlap_duty_cycles", [](const T& self) { return to_numpy(self.overlap_duty_cycles()); })
        .def("boost_factors", [](const T& self) { return to_numpy(self.boost_factors()); });
    bind_state(bound);
}

}  // namespace htmengine
