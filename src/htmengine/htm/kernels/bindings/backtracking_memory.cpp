#include "nupic/backtracking_memory.hpp"

#include "bindings/memories.hpp"

namespace htmengine {

void bind_backtracking_memory(nb::module_& module) {
    bind_parameters<BacktrackingMemoryParameters>(module, "BacktrackingMemoryParameters")
        .def_rw("pam_length", &BacktrackingMemoryParameters::pam_length)
        .def_rw("max_sequence_length", &BacktrackingMemoryParameters::max_sequence_length)
        .def_rw("max_inference_backtrack", &BacktrackingMemoryParameters::max_inference_backtrack)
        .def_rw("max_learning_backtrack", &BacktrackingMemoryParameters::max_learning_backtrack);
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
