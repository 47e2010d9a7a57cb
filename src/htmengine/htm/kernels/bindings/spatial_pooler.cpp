#include "bindings.hpp"

namespace htmengine {

void bind_spatial_pooler(nb::module_&) {}

}  // namespace htmengine
