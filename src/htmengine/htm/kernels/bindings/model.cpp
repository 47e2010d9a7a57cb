#include "bindings.hpp"

namespace htmengine {

void bind_model(nb::module_&) {}

}  // namespace htmengine
