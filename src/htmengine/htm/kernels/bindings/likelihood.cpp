#include "bindings.hpp"
#include "portable_math.hpp"

namespace htmengine {

void bind_likelihood(nb::module_& module) {
    module.def("portable_exp", &portable::exp);
    module.def("portable_log", &portable::log);
    module.def("portable_erfc", &portable::erfc);
}

}  // namespace htmengine
