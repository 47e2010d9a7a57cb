#include "nupic/temporal_memory.hpp"

#include "bindings/memories.hpp"

namespace htmengine {

void bind_temporal_memory(nb::module_& module) {
    bind_parameters<TemporalMemoryParameters>(module, "TemporalMemoryParameters")
        .def_rw("predicted_segment_decrement", &TemporalMemoryParameters::predicted_segment_decrement);
    bind_memory<TemporalMemory, TemporalMemoryParameters>(module, "TemporalMemory")
        .def("active_cells", [](const TemporalMemory& self) { return to_numpy(self.active_cells()); })
        .def("winner_cells", [](const TemporalMemory& self) { return to_numpy(self.winner_cells()); })
        .def("predictive_cells", [](const TemporalMemory& self) { return to_numpy(self.predictive_cells()); });
}

}  // namespace htmengine
