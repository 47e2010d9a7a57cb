#include "bindings.hpp"

namespace htmengine {

void bind_likelihood(nb::module_&) {}

}  // namespace htmengine
