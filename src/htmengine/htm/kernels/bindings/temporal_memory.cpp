#include "nupic/temporal_memory.hpp"

#include "nupic/backtracking_memory.hpp"
#include "bindings/bindings.hpp"

namespace htmengine {

namespace {

using Columns = In<std::uint32_t>;

Span<const std::uint32_t> view(const Columns& columns) { return {columns.data(), columns.size()}; }

/// Every synapse: number and cell of its segment, source cell, permanence.
auto synapses(const SegmentStore& segments) {
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
            [](Memory& self, const Columns& columns, bool learn) {
                nb::gil_scoped_release released;
                return self.compute(view(columns), learn);
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

}  // namespace

void bind_temporal_memory(nb::module_& module) {
    bind_parameters<TemporalMemoryParameters>(module, "TemporalMemoryParameters")
        .def_rw("predicted_segment_decrement", &TemporalMemoryParameters::predicted_segment_decrement);
    bind_parameters<BacktrackingMemoryParameters>(module, "BacktrackingMemoryParameters")
        .def_rw("pam_length", &BacktrackingMemoryParameters::pam_length)
        .def_rw("max_sequence_length", &BacktrackingMemoryParameters::max_sequence_length)
        .def_rw("max_inference_backtrack", &BacktrackingMemoryParameters::max_inference_backtrack)
        .def_rw("max_learning_backtrack", &BacktrackingMemoryParameters::max_learning_backtrack);

    bind_memory<TemporalMemory, TemporalMemoryParameters>(module, "TemporalMemory")
        .def("active_cells", [](const TemporalMemory& self) { return to_numpy(self.active_cells()); })
        .def("winner_cells", [](const TemporalMemory& self) { return to_numpy(self.winner_cells()); })
        .def("predictive_cells", [](const TemporalMemory& self) { return to_numpy(self.predictive_cells()); });

    using Backtracking = BacktrackingMemory;
    bind_memory<Backtracking, BacktrackingMemoryParameters>(module, "BacktrackingMemory")
        .def("inferred_active_cells", [](const Backtracking& self) { return to_numpy(self.inferred_active_cells()); })
        .def("inferred_predicted_cells",
             [](const Backtracking& self) { return to_numpy(self.inferred_predicted_cells()); })
        .def("learned_active_cells", [](const Backtracking& self) { return to_numpy(self.learned_active_cells()); })
        .def("learned_predicted_cells",
             [](const Backtracking& self) { return to_numpy(self.learned_predicted_cells()); })
        .def("predicted_columns", [](const Backtracking& self) { return to_numpy(self.predicted_columns()); })
        .def("column_confidences", [](const Backtracking& self) { return to_numpy(self.column_confidences()); })
        .def_prop_ro("average_learned_length", &Backtracking::average_learned_length);
}

}  // namespace htmengine
