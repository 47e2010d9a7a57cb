#include "bindings.hpp"

namespace htmengine {

void bind_encoders(nb::module_&) {}

}  // namespace htmengine
