#include "bindings.hpp"

namespace htmengine {

void bind_temporal_memory(nb::module_&) {}

}  // namespace htmengine
