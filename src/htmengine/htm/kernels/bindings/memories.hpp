// What the bindings of both temporal memories of NuPIC have in common.
#pragma once

#include <tuple>
#include <utility>
#include <vector>

#include "bindings/bindings.hpp"
#include "nupic/segment_store.hpp"

namespace htmengine {

/// Every synapse: number and cell of its segment, source cell, permanence.
inline auto synapses(const SegmentStore& segments) {
    std::vector<std::uint32_t> numbers, cells, sources;
    std::vector<float> permanences;
    for (std::uint32_t segment = 0; segment < segments.size(); ++segment) {
        numbers.insert(numbers.end(), segments.synapse_count(segment), segment);
        cells.insert(cells.end(), segments.synapse_count(segment), segments.cell(segment));
        for (const std::uint32_t source : segments.sources(segment)) sources.push_back(source);
        for (const float permanence : segments.permanences(segment)) permanences.push_back(permanence);
    }
    return std::make_tuple(to_numpy(std::move(numbers)), to_numpy(std::move(cells)), to_numpy(std::move(sources)),
                          to_numpy(std::move(permanences)));
}

/// What both memories offer in the same way.
template <class Memory, class Parameters>
nb::class_<Memory> bind_memory(nb::module_& module, const char* name) {
    nb::class_<Memory> bound(module, name);
    bound.def(nb::init<const Parameters&>(), nb::arg("parameters"))
        .def(
            "compute",
            [](Memory& self, const In<std::uint32_t>& columns, bool learn) {
                nb::gil_scoped_release released;
                return self.compute({columns.data(), columns.size()}, learn);
            },
            nb::arg("columns"), nb::arg("learn"))
        .def("reset", &Memory::reset)
        .def("synapses", [](const Memory& self) { return synapses(self.segments()); })
        .def_prop_ro("segment_count", &Memory::segment_count)
        .def_prop_ro("synapse_count", &Memory::synapse_count);
    bind_state(bound);
    return bound;
}

template <class Parameters>
nb::class_<Parameters> bind_parameters(nb::module_& module, const char* name) {
    nb::class_<Parameters> bound(module, name);
    bound.def(nb::init<>())
        .def_rw("columns", &Parameters::columns)
        .def_rw("cells_per_column", &Parameters::cells_per_column)
        .def_rw("activation_threshold", &Parameters::activation_threshold)
        .def_rw("min_threshold", &Parameters::min_threshold)
        .def_rw("new_synapse_count", &Parameters::new_synapse_count)
        .def_rw("max_segments_per_cell", &Parameters::max_segments_per_cell)
        .def_rw("max_synapses_per_segment", &Parameters::max_synapses_per_segment)
        .def_rw("initial_permanence", &Parameters::initial_permanence)
        .def_rw("connected_permanence", &Parameters::connected_permanence)
        .def_rw("permanence_increment", &Parameters::permanence_increment)
        .def_rw("permanence_decrement", &Parameters::permanence_decrement)
        .def_rw("seed", &Parameters::seed);
    return bound;
}

}  // namespace htmengine
